#include "domain/sse_splitter.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr size_t longest_name = 8; // "data" behind a byte order mark

} // namespace

void SseSplitter::feed(std::string_view bytes, Handler &handler)
{
    while (!bytes.empty()) {
        const char byte = bytes.front();
        const bool second_of_crlf = after_cr_ && byte == '\n';
        after_cr_ = false;
        if (second_of_crlf) {
            bytes.remove_prefix(1);
            ++offset_;
        } else if (byte == '\n' || byte == '\r') {
            bytes.remove_prefix(1);
            ++offset_;
            after_cr_ = byte == '\r';
            end_line(handler);
        } else {
            const size_t taken = take(bytes, handler);
            bytes.remove_prefix(taken);
            offset_ += taken;
        }
    }
}

// Takes what is no line end, at least one byte.
size_t SseSplitter::take(std::string_view bytes, Handler &handler)
{
    line_empty_ = false;
    event_empty_ = false;
    const size_t line = std::min(bytes.find_first_of("\r\n"), bytes.size());
    switch (state_) {
    case State::Name:
        take_name(bytes.front(), handler);
        return 1;
    case State::Space:
        state_ = State::Data;
        if (bytes.front() == ' ') {
            return 1;
        }
        [[fallthrough]];
    case State::Data:
        handler.on_data(bytes.substr(0, line));
        return line;
    case State::Skip:
        break;
    }
    return line;
}

void SseSplitter::take_name(char byte, Handler &handler)
{
    if (byte != ':') {
        name_ += byte;
        state_ = name_.size() > longest_name ? State::Skip : State::Name;
        return;
    }
    std::string_view name = name_;
    if (first_line_ && name.starts_with(byte_order_mark)) {
        name.remove_prefix(byte_order_mark.size());
    }
    if (name == "data") {
        begin_data(handler);
        state_ = State::Space;
    } else {
        state_ = State::Skip;
    }
}

void SseSplitter::begin_data(Handler &handler)
{
    if (has_data_) {
        handler.on_data("\n");
    }
    has_data_ = true;
}

void SseSplitter::end_line(Handler &handler)
{
    if (state_ == State::Name && name_ == "data") {
        begin_data(handler); // a field without a colon has an empty value
    }
    const bool ends_event = line_empty_ && !event_empty_;
    state_ = State::Name;
    name_.clear();
    line_empty_ = true;
    first_line_ = false;
    if (ends_event) {
        event_empty_ = true;
        has_data_ = false;
        handler.on_event(offset_);
    }
}

} // namespace ap
