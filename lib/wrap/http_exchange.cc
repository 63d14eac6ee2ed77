#include "wrap/http_exchange.hh"

#include "base/text.hh"

#include <utility>

namespace ap {

namespace {

// How much of a body that nobody wants is read for the sake of a proper answer.
constexpr size_t most_discarded = 4 << 20;

// Most requests have no more header fields than this.
constexpr size_t usual_fields = 16;

// The server says how a message is framed and what becomes of its connection.
bool is_framing(std::string_view name)
{
    return same_field_name(name, "content-length") || is_hop_by_hop(name);
}

} // namespace

HttpExchange::HttpExchange(HttpConnection &connection, std::string_view target)
    : connection_(&connection)
    , target_(target)
{
    fields_.reserve(usual_fields);
}

std::string_view HttpExchange::path() const noexcept
{
    return target().substr(0, target_.find('?'));
}

std::string_view HttpExchange::query() const noexcept
{
    const size_t mark = target_.find('?');
    return mark == std::string::npos ? std::string_view() : target().substr(mark + 1);
}

std::string_view HttpExchange::peer() const noexcept
{
    return over() ? std::string_view() : connection_->peer();
}

void HttpExchange::read_body(size_t limit, OnBody then)
{
    const auto length = field("content-length");
    if (length && !parse_integer(*length, 0, static_cast<int64_t>(limit))) {
        respond(413, {}, "");
        return;
    }
    body_limit_ = limit;
    on_body_ = std::move(then);
}

void HttpExchange::stream_body(OnPiece on_piece, Call on_end)
{
    on_piece_ = std::move(on_piece);
    on_end_ = std::move(on_end);
}

void HttpExchange::resume_body()
{
    if (std::exchange(body_paused_, false) && !over()) {
        connection_->wake();
    }
}

void HttpExchange::take_piece(std::string_view piece)
{
    if (on_piece_ && !begun()) {
        on_piece_(piece);
    } else if (on_body_ && piece.size() <= body_limit_ - body_.size()) {
        body_ += piece;
    } else {
        discard(piece.size());
    }
}

// The answer to a body that is not wanted can only be sent after it.
void HttpExchange::discard(size_t size)
{
    if (std::exchange(on_body_, nullptr)) {
        body_ = std::string();
        respond(413, {}, "");
    }
    discarded_ += size;
    if (discarded_ > most_discarded) {
        abort();
    }
}

void HttpExchange::take_end()
{
    if (std::exchange(body_ended_, true)) {
        return;
    }
    if (on_body_) {
        on_body_(std::move(body_));
    } else if (on_end_) {
        on_end_();
    }
}

void HttpExchange::respond(int status, std::span<const HttpField> fields,
                           std::string body)
{
    if (over() || begun()) {
        return;
    }
    written_ = body.size();
    out_.assign(std::move(body));
    finished_ = true;
    begin(status, fields, written_);
}

void HttpExchange::begin(int status, std::span<const HttpField> fields,
                         std::optional<uint64_t> length)
{
    if (over() || begun()) {
        return;
    }
    size_t bytes = 0;
    for (const HttpField &field : fields) {
        bytes += field.name.size() + field.value.size();
    }
    answer_fields_.reserve(fields.size(), bytes);
    for (const HttpField &field : fields) {
        if (!is_framing(field.name)) {
            answer_fields_.add(field.name, field.value);
        }
    }
    length_ = length;
    status_ = status;
    connection_->wake();
}

void HttpExchange::write(std::string_view piece)
{
    if (over() || !begun() || finished_ || aborted_ || piece.empty()) {
        return;
    }
    out_.append(piece);
    written_ += piece.size();
    connection_->wake();
}

void HttpExchange::write(std::shared_ptr<const std::string> piece)
{
    if (over() || !begun() || finished_ || aborted_ || piece->empty()) {
        return;
    }
    written_ += piece->size();
    out_.share(std::move(piece));
    connection_->wake();
}

void HttpExchange::finish()
{
    if (over() || !begun() || finished_ || aborted_) {
        return;
    }
    // The body of an answer to HEAD is never sent, only its length told.
    if (length_ && written_ != *length_ && method_ != "HEAD") {
        abort();
        return;
    }
    finished_ = true;
    connection_->wake();
}

void HttpExchange::abort()
{
    if (over()) {
        return;
    }
    aborted_ = true;
    connection_->wake();
}

void HttpExchange::on_drained(size_t below, Call call)
{
    drained_below_ = below;
    on_drained_ = std::move(call);
}

HttpExchange::Answer HttpExchange::answer() const noexcept
{
    Answer answer{status_, length_, std::nullopt};
    const std::string_view whole = out_.view(); // what others share is not in it
    if (finished_ && !aborted_ && (!length_ || *length_ == written_) &&
        whole.size() == queued()) {
        answer.whole = whole;
    }
    return answer;
}

HttpExchange::Supply HttpExchange::supply(char *buffer, size_t size, size_t &taken)
{
    if (over() || aborted_) {
        return Supply::Cut;
    }
    if (queued() == 0) {
        return finished_ ? Supply::End : Supply::Later;
    }
    const size_t before = queued();
    taken = out_.take(buffer, size);
    if (on_drained_ && before > drained_below_ && queued() <= drained_below_) {
        on_drained_();
    }
    return Supply::Some;
}

void HttpExchange::end(bool whole)
{
    if (over()) {
        return;
    }
    connection_->exchange_ended();
    connection_ = nullptr;
    fields_.clear();
    method_ = {};
    on_piece_ = nullptr;
    on_end_ = nullptr;
    on_body_ = nullptr;
    on_drained_ = nullptr;
    if (const OnClose call = std::exchange(on_close_, nullptr)) {
        call(whole);
    }
}

} // namespace ap
