#include "base/json_scanner.hh"

#include "base/plain_length.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t kept_key_bytes = 64;

bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool is_in_number(char byte)
{
    return is_digit(byte) || byte == '-' || byte == '+' || byte == '.' || byte == 'e' ||
           byte == 'E';
}

// Takes the digits at the front; false if there are none.
bool take_digits(std::string_view &text)
{
    const size_t before = text.size();
    while (!text.empty() && is_digit(text.front())) {
        text.remove_prefix(1);
    }
    return text.size() < before;
}

bool is_number(std::string_view text)
{
    if (text.starts_with('-')) {
        text.remove_prefix(1);
    }
    const bool zero = text.starts_with('0');
    const size_t before = text.size();
    if (!take_digits(text) || (zero && before - text.size() > 1)) {
        return false;
    }
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (!take_digits(text)) {
            return false;
        }
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-')) {
            text.remove_prefix(1);
        }
        if (!take_digits(text)) {
            return false;
        }
    }
    return text.empty();
}

} // namespace

// Room for what most texts need: growing piece by piece costs more than the scanning.
JsonScanner::JsonScanner()
{
    stack_.reserve(8);
    path_.reserve(kept_key_bytes);
    text_.reserve(kept_bytes);
}

void JsonScanner::reset() noexcept
{
    state_ = State::Value;
    is_key_ = false;
    stack_.clear();
    path_.clear();
    text_.clear();
    length_ = begin_ = offset_ = 0;
    raw_string_bytes_ = decoded_string_bytes_ = blanks_ = 0;
}

void JsonScanner::add_text(std::string_view bytes)
{
    length_ += bytes.size();
    if (text_.size() < kept_bytes) {
        text_.append(bytes.substr(0, kept_bytes - text_.size()));
    }
}

// The plain part of a string, which is most of any body, at one go.
size_t JsonScanner::take_string(std::string_view bytes)
{
    const size_t count = plain_length(bytes);
    add_text(bytes.substr(0, count));
    raw_string_bytes_ += count;
    decoded_string_bytes_ += count;
    offset_ += count;
    return count;
}

void JsonScanner::feed(std::string_view bytes, Handler &handler)
{
    size_t at = 0;
    while (at < bytes.size() && state_ != State::Failed) {
        if (state_ == State::String) {
            at += take_string(bytes.substr(at));
            if (at == bytes.size()) {
                return;
            }
        }
        if (state_ == State::Number && !is_in_number(bytes[at]) && !end_number(handler)) {
            state_ = State::Failed;
            return;
        }
        if (!step(bytes[at], handler)) {
            state_ = State::Failed;
            return;
        }
        ++at;
        ++offset_;
    }
}

bool JsonScanner::finish(Handler &handler)
{
    if (state_ == State::Number && !end_number(handler)) {
        state_ = State::Failed;
    }
    return state_ == State::End;
}

bool JsonScanner::step(char byte, Handler &handler)
{
    switch (state_) {
    case State::String:
        ++raw_string_bytes_;
        if (byte == '"') {
            --raw_string_bytes_;
            end_string(handler);
            return true;
        }
        state_ = State::Escape;
        return byte == '\\';
    case State::Escape:
        ++raw_string_bytes_;
        return escape(byte);
    case State::Unicode:
        ++raw_string_bytes_;
        return unicode(byte);
    case State::Number:
        add_text({&byte, 1});
        return length_ < kept_bytes;
    case State::Literal:
        if (literal_[length_] != byte) {
            return false;
        }
        if (++length_ == literal_.size()) {
            told(literal_kind_, offset_ + 1, handler);
        }
        return true;
    case State::Value:
    case State::FirstElement:
    case State::FirstKey:
    case State::Key:
    case State::Colon:
    case State::Comma:
    case State::End:
        if (is_blank(byte)) {
            ++blanks_;
            return true;
        }
        return in_container(byte, handler);
    case State::Failed:
        break;
    }
    return false;
}

bool JsonScanner::in_container(char byte, Handler &handler)
{
    switch (state_) {
    case State::FirstElement:
        return byte == ']' ? close(byte, handler) : begin_value(byte, handler);
    case State::Value:
        return begin_value(byte, handler);
    case State::FirstKey:
        if (byte == '}') {
            return close(byte, handler);
        }
        [[fallthrough]];
    case State::Key:
        is_key_ = true;
        text_.clear();
        length_ = 0;
        state_ = State::String;
        return byte == '"';
    case State::Colon:
        state_ = State::Value;
        return byte == ':';
    case State::Comma:
        if (byte != ',') {
            return close(byte, handler);
        }
        path_.resize(stack_.back().path_length);
        if (stack_.back().kind == '{') {
            state_ = State::Key;
        } else {
            path_ += path_.empty() ? "*" : "/*";
            state_ = State::Value;
        }
        return true;
    case State::String:
    case State::Escape:
    case State::Unicode:
    case State::Number:
    case State::Literal:
    case State::End:
    case State::Failed:
        break;
    }
    return false;
}

bool JsonScanner::begin_value(char byte, Handler &handler)
{
    begin_ = offset_;
    text_.clear();
    length_ = 0;
    is_key_ = false;
    if (byte == '{' || byte == '[') {
        open(byte, handler);
        return stack_.size() <= depth_allowed;
    }
    if (byte == '"') {
        state_ = State::String;
        return true;
    }
    if (byte == '-' || is_digit(byte)) {
        state_ = State::Number;
        add_text({&byte, 1});
        return true;
    }
    state_ = State::Literal;
    length_ = 1;
    literal_ = byte == 't' ? "true" : byte == 'f' ? "false" : "null";
    literal_kind_ = byte == 't' ? Kind::True : byte == 'f' ? Kind::False : Kind::Null;
    return byte == literal_.front();
}

void JsonScanner::open(char byte, Handler &handler)
{
    handler.on_open(path_, byte, offset_);
    stack_.push_back({byte, path_.size()});
    if (byte == '{') {
        state_ = State::FirstKey;
    } else {
        path_ += path_.empty() ? "*" : "/*";
        state_ = State::FirstElement;
    }
}

bool JsonScanner::close(char byte, Handler &handler)
{
    if (stack_.empty() || byte != (stack_.back().kind == '{' ? '}' : ']')) {
        return false;
    }
    path_.resize(stack_.back().path_length);
    stack_.pop_back();
    handler.on_close(path_, byte, offset_);
    state_ = stack_.empty() ? State::End : State::Comma;
    return true;
}

bool JsonScanner::escape(char byte)
{
    constexpr std::string_view written = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (byte == 'u') {
        code_unit_ = 0;
        digits_ = 0;
        state_ = State::Unicode;
        return true;
    }
    const size_t which = written.find(byte);
    if (which == std::string_view::npos) {
        return false;
    }
    add_text(meant.substr(which, 1));
    ++decoded_string_bytes_;
    state_ = State::String;
    return true;
}

bool JsonScanner::unicode(char byte)
{
    constexpr std::string_view digits = "0123456789abcdef";
    const char lower = byte >= 'A' && byte <= 'F' ? static_cast<char>(byte + 32) : byte;
    const size_t value = digits.find(lower);
    if (value == std::string_view::npos) {
        return false;
    }
    code_unit_ = code_unit_ * 16 + static_cast<unsigned>(value);
    if (++digits_ == 4) {
        add_code_point();
        state_ = State::String;
    }
    return true;
}

// Halves of a pair count as three bytes each: more than the four they make together, and
// nothing that is compared with a text has one.
void JsonScanner::add_code_point()
{
    std::string bytes;
    if (code_unit_ < 0x80) {
        bytes = {static_cast<char>(code_unit_)};
    } else if (code_unit_ < 0x800) {
        bytes = {static_cast<char>(0xc0 | (code_unit_ >> 6)),
                 static_cast<char>(0x80 | (code_unit_ & 0x3f))};
    } else {
        bytes = {static_cast<char>(0xe0 | (code_unit_ >> 12)),
                 static_cast<char>(0x80 | ((code_unit_ >> 6) & 0x3f)),
                 static_cast<char>(0x80 | (code_unit_ & 0x3f))};
    }
    add_text(bytes);
    decoded_string_bytes_ += bytes.size();
}

void JsonScanner::enter_key()
{
    const size_t container = stack_.back().path_length;
    path_.resize(container);
    if (container > 0) {
        path_ += '/';
    }
    const size_t begin = path_.size();
    path_.append(text_, 0, kept_key_bytes);
    std::replace_if(
        path_.begin() + static_cast<std::ptrdiff_t>(begin), path_.end(),
        [](char byte) {
            return byte == '/' || byte == '*' || static_cast<unsigned char>(byte) < 0x20;
        },
        '?');
    if (length_ == 0 || length_ > kept_key_bytes) {
        path_ += '?';
    }
}

void JsonScanner::end_string(Handler &handler)
{
    if (is_key_) {
        enter_key();
        state_ = State::Colon;
    } else {
        told(Kind::String, offset_ + 1, handler);
    }
}

bool JsonScanner::end_number(Handler &handler)
{
    if (!is_number(text_)) {
        return false;
    }
    told(Kind::Number, offset_, handler);
    return true;
}

void JsonScanner::told(Kind kind, uint64_t end, Handler &handler)
{
    handler.on_scalar(path_, {kind, text_, length_, begin_, end});
    state_ = stack_.empty() ? State::End : State::Comma;
}

} // namespace ap
