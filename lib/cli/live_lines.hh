#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// A few lines at the bottom of a terminal that are drawn again in place, with ordinary
/// lines scrolling above them. Lines are cut to the terminal's width.
class LiveLines
{
public:
    LiveLines() = default;
    ~LiveLines();
    LiveLines(const LiveLines &) = delete;
    LiveLines &operator=(const LiveLines &) = delete;

    /// Prints `line` above the live lines.
    void print_above(std::string_view line);

    /// Replaces the live lines.
    void draw(std::vector<std::string> lines);

private:
    void erase();
    void show();

    std::vector<std::string> lines_;
};

/// A bar of `width` characters between brackets, filled as far as `done` is of `total`.
std::string progress_bar(int64_t done, int64_t total, size_t width);

} // namespace ap
