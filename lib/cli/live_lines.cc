#include "cli/live_lines.hh"

#include "cli/tool.hh"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ap {

namespace {

size_t terminal_width()
{
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

} // namespace

LiveLines::~LiveLines()
{
    try {
        erase();
    } catch (const std::exception &) {
        // The terminal is gone; there is nobody to tell.
        lines_.clear();
    }
}

void LiveLines::print_above(std::string_view line)
{
    erase();
    print(std::string(line) + "\n");
    show();
}

void LiveLines::draw(std::vector<std::string> lines)
{
    erase();
    lines_ = std::move(lines);
    show();
}

// Goes up to the first live line and clears to the end of the screen.
void LiveLines::erase()
{
    if (!lines_.empty()) {
        print("\x1b[" + std::to_string(lines_.size()) + "A\r\x1b[J");
    }
}

void LiveLines::show()
{
    const size_t width = terminal_width() - 1;
    for (const std::string &line : lines_) {
        print(line.substr(0, std::min(width, line.size())) + "\n");
    }
    static_cast<void>(std::fflush(stdout));
}

std::string progress_bar(int64_t done, int64_t total, size_t width)
{
    const auto of = static_cast<size_t>(std::max<int64_t>(total, 1));
    const size_t filled =
        std::min(width, static_cast<size_t>(std::max<int64_t>(done, 0)) * width / of);
    return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
}

} // namespace ap
