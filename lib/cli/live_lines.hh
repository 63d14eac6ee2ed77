#pragma once

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

} // namespace ap
