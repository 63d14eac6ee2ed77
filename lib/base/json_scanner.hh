#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Reads JSON as it arrives, cut at any byte, without keeping it: what is told is where
/// every value stands and what its beginning says. Memory is bounded by the depth
/// allowed. As strict as RFC 8259, but that UTF-8 is not checked.
class JsonScanner
{
public:
    enum class Kind { String, Number, True, False, Null };

    /// A string, number or literal that has ended.
    struct Scalar
    {
        Kind kind = Kind::Null;
        /// A string's decoded text or a number's digits, cut after `kept_bytes`; empty
        /// for a literal.
        std::string_view text;
        uint64_t length = 0; ///< the whole length of that text in bytes
        uint64_t begin = 0;  ///< offset of the first byte, a string's quote included
        uint64_t end = 0;    ///< offset behind the last byte
    };

    /// What is told. `path` names the value: keys and, for array elements, "*", each
    /// after a '/' ("choices/*/delta"); the root is "". A key's '/', '*' and control
    /// characters are '?' in it, a key above 64 bytes ends in '?' there.
    class Handler
    {
    public:
        virtual ~Handler() = default;
        virtual void on_scalar(std::string_view path, const Scalar &scalar) = 0;
        virtual void on_open(std::string_view, char, uint64_t) {}  ///< '{' or '[' at
        virtual void on_close(std::string_view, char, uint64_t) {} ///< '}' or ']' at
    };

    static constexpr size_t kept_bytes = 128;
    static constexpr size_t depth_allowed = 256;

    JsonScanner();

    /// The next bytes. What comes after something that is no JSON is ignored.
    void feed(std::string_view bytes, Handler &handler);

    /// The text has ended: a number may have, too. True if it was one whole JSON value.
    bool finish(Handler &handler);

    /// Whether something was not JSON.
    bool failed() const noexcept { return state_ == State::Failed; }

    /// Whether one value is complete and nothing but blanks came after it.
    bool complete() const noexcept { return state_ == State::End; }

    /// Bytes fed so far; where it failed, if it did.
    uint64_t offset() const noexcept { return offset_; }

    /// Bytes of strings' contents between their quotes as written, and decoded (which is
    /// never more); and blanks outside of strings.
    uint64_t raw_string_bytes() const noexcept { return raw_string_bytes_; }
    uint64_t decoded_string_bytes() const noexcept { return decoded_string_bytes_; }
    uint64_t blanks() const noexcept { return blanks_; }

    /// Ready for another text.
    void reset() noexcept;

private:
    enum class State {
        Value,
        FirstElement,
        FirstKey,
        Key,
        Colon,
        Comma,
        String,
        Escape,
        Unicode,
        Number,
        Literal,
        End,
        Failed,
    };
    struct Frame
    {
        char kind;
        size_t path_length; ///< of the container's own path
    };

    State state_ = State::Value;
    bool is_key_ = false;
    std::vector<Frame> stack_;
    std::string path_;
    std::string text_;
    uint64_t length_ = 0;
    uint64_t begin_ = 0;
    uint64_t offset_ = 0;
    uint64_t raw_string_bytes_ = 0;
    uint64_t decoded_string_bytes_ = 0;
    uint64_t blanks_ = 0;
    unsigned code_unit_ = 0;
    int digits_ = 0;
    std::string_view literal_;
    Kind literal_kind_ = Kind::Null;

    size_t take_string(std::string_view bytes);
    bool step(char byte, Handler &handler);
    bool begin_value(char byte, Handler &handler);
    bool in_container(char byte, Handler &handler);
    void open(char byte, Handler &handler);
    bool close(char byte, Handler &handler);
    bool escape(char byte);
    bool unicode(char byte);
    void add_code_point();
    void end_string(Handler &handler);
    bool end_number(Handler &handler);
    void told(Kind kind, uint64_t end, Handler &handler);
    void add_text(std::string_view bytes);
    void enter_key();
};

} // namespace ap
