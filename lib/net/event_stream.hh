#pragma once

#include "wrap/http_exchange.hh"
#include "wrap/zlib.hh"

#include <memory>
#include <optional>
#include <string>

namespace ap {

/// Text for any number of event streams. It is compressed once, by the first stream that
/// wants it so, and shared by all that send it: with hundreds of clients a copy for each
/// would cost the server more than everything else.
class StreamText
{
public:
    /// `compressor` outlives it.
    StreamText(std::string text, GzipCompressor &compressor);

    size_t size() const noexcept { return plain_->size(); }
    const std::shared_ptr<const std::string> &plain() const noexcept { return plain_; }
    const std::shared_ptr<const GzipPiece> &compressed();

private:
    GzipCompressor &compressor_;
    std::shared_ptr<const std::string> plain_;
    std::shared_ptr<const GzipPiece> compressed_;
};

/// The answer to a client that follows events: text/event-stream, compressed if the
/// client allows it (each browser does), which makes a twentieth of it in busy times.
/// Each text can be read as soon as it has come.
///
/// That compressed text tells by its length something of what is in it (BREACH) matters
/// where a secret stands beside what an attacker chose. The event log has no secrets, and
/// nothing of the request or the session is put into the stream.
class EventStream
{
public:
    /// Begins the answer.
    EventStream(std::shared_ptr<HttpExchange> exchange, bool over_tls);

    void write(StreamText &text);

    /// Ends the answer as a whole one.
    void finish();

    /// Cuts the client off if more than `most` bytes wait for it.
    void cut_off_if_longer(size_t most);

    bool over() const noexcept { return exchange_->over(); }

private:
    std::shared_ptr<HttpExchange> exchange_;
    std::optional<GzipStream> gzip_;
};

} // namespace ap
