#include "net/event_stream.hh"

#include "net/http_reply.hh"
#include "net/request_target.hh"

#include <utility>
#include <vector>

namespace ap {

StreamText::StreamText(std::string text, GzipCompressor &compressor)
    : compressor_(compressor)
    , plain_(std::make_shared<const std::string>(std::move(text)))
{
}

const std::shared_ptr<const GzipPiece> &StreamText::compressed()
{
    if (!compressed_) {
        compressed_ = std::make_shared<const GzipPiece>(compressor_.compress(*plain_));
    }
    return compressed_;
}

EventStream::EventStream(std::shared_ptr<HttpExchange> exchange, bool over_tls)
    : exchange_(std::move(exchange))
{
    std::vector<HttpField> fields = common_fields(over_tls);
    fields.push_back({"Content-Type", "text/event-stream"});
    fields.push_back({"Vary", "Accept-Encoding"});
    fields.push_back({"X-Accel-Buffering", "no"});
    if (accepts_gzip(exchange_->field("accept-encoding"))) {
        gzip_.emplace();
        fields.push_back({"Content-Encoding", "gzip"});
    }
    exchange_->begin(200, fields);
    if (gzip_) {
        exchange_->write(GzipStream::beginning());
    }
}

void EventStream::write(StreamText &text)
{
    if (text.size() == 0) {
        return;
    }
    if (!gzip_) {
        exchange_->write(text.plain());
        return;
    }
    const std::shared_ptr<const GzipPiece> &piece = text.compressed();
    gzip_->add(*piece);
    exchange_->write(std::shared_ptr<const std::string>(piece, &piece->bytes));
}

void EventStream::finish()
{
    if (gzip_) {
        exchange_->write(gzip_->end());
    }
    exchange_->finish();
}

void EventStream::cut_off_if_longer(size_t most)
{
    if (exchange_->queued() > most) {
        exchange_->abort();
    }
}

} // namespace ap
