#pragma once

#include "wrap/zlib.hh"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

/// Reads what ap-serve answers to a follower of all events, chunks and compression
/// undone, and counts events by their numbers, of which none is left out.
class EventReader
{
public:
    /// Takes what came. Throws ap::Error(BadData) if it is no such answer.
    void feed(std::string_view bytes);

    int64_t heard() const { return heard_; }
    int64_t missed() const { return missed_; }
    bool compressed() const { return gzip_.has_value(); }

private:
    enum class Part { Head, Size, Data, DataEnd };

    bool take_line(std::string_view &bytes);
    void end_line();
    void take_text(std::string_view text);
    void take_event_line(std::string_view line);

    Part part_ = Part::Head;
    std::string line_; // of head or size, as far as it came
    size_t left_ = 0;  // of the chunk
    std::optional<ap::Inflate> gzip_;
    std::string event_line_;
    int64_t last_ = 0;
    int64_t heard_ = 0;
    int64_t missed_ = 0;
};

} // namespace bench
