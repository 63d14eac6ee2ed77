#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace ap {

/// Cuts a stream that comes in pieces into its lines.
class LineSplitter
{
public:
    using Handler = std::function<void(std::string_view)>;

    /// A line longer than this many bytes is dropped.
    static constexpr size_t longest_line = 65536;

    /// Takes the next piece and calls `on_line` for every line that is complete now,
    /// without its newline; of one that is too long, `on_overlong` gets the first 200
    /// bytes.
    void feed(std::string_view piece, const Handler &on_line, const Handler &on_overlong);

    /// The stream has ended: gives a last line without a newline, if there is one.
    void finish(const Handler &on_line);

    /// How many bytes of the stream the lines given so far take up.
    int64_t given() const noexcept { return given_; }

private:
    void collect(std::string_view piece, const Handler &on_overlong);

    std::string partial_;
    bool dropping_ = false;
    int64_t fed_ = 0;
    int64_t given_ = 0;
};

} // namespace ap
