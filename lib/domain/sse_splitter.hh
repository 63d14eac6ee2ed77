#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ap {

/// Finds the events of a server-sent stream, cut at any byte. Lines end in LF, CR or
/// CRLF; an empty line ends an event. Keeps no more than the start of a line, whatever
/// comes.
class SseSplitter
{
public:
    /// What is told.
    class Handler
    {
    public:
        virtual ~Handler() = default;

        /// The next piece of the event's data; lines of data are joined by one "\n".
        virtual void on_data(std::string_view piece) = 0;

        /// The event ends with the byte before offset `end` of the stream. An event
        /// without data (a comment, a lone name) is told, too.
        virtual void on_event(uint64_t end) = 0;
    };

    /// The next bytes of the stream.
    void feed(std::string_view bytes, Handler &handler);

    /// Bytes fed so far.
    uint64_t offset() const noexcept { return offset_; }

private:
    enum class State { Name, Space, Data, Skip };

    State state_ = State::Name;
    std::string name_; ///< of the field, as far as it was read; at most 8 bytes
    bool after_cr_ = false;
    bool line_empty_ = true;
    bool event_empty_ = true; ///< nothing but line ends since the last event
    bool has_data_ = false;
    bool first_line_ = true;
    uint64_t offset_ = 0;

    size_t take(std::string_view bytes, Handler &handler);
    void take_name(char byte, Handler &handler);
    void begin_data(Handler &handler);
    void end_line(Handler &handler);
};

} // namespace ap
