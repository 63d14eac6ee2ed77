#include "sys/progress.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto between_drawings = 100ms;
constexpr int bar_width = 30;

void complain(const std::string &text)
{
    // Nothing can be done when standard error itself is gone.
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
    static_cast<void>(std::fflush(stderr));
}

} // namespace

ProgressBar::ProgressBar(std::string tool, std::string what, bool quiet)
    : tool_(std::move(tool))
    , what_(std::move(what))
    , bar_(!quiet && isatty(STDERR_FILENO) != 0)
    , signals_({SIGINT, SIGTERM, SIGUSR1})
    , started_(std::chrono::steady_clock::now())
{
}

ProgressBar::~ProgressBar()
{
    erase();
}

void ProgressBar::erase()
{
    if (std::exchange(drawn_, false)) {
        complain("\r\x1b[K");
    }
}

std::string ProgressBar::line(int64_t done, int64_t total) const
{
    const int64_t percent = total <= 0 ? 100 : std::min<int64_t>(100, done * 100 / total);
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started_);
    return what_ + " " + std::to_string(percent) + "% " + format_bytes(done) + " of " +
           format_bytes(total) + " in " + format_duration(spent);
}

void ProgressBar::update(int64_t done, int64_t total)
{
    while (const auto signal = signals_.next()) {
        erase();
        if (*signal != SIGUSR1) {
            throw Error(ExitStatus::Stopped, "stopped by a signal; nothing was changed");
        }
        complain(tool_ + ": " + line(done, total) + "\n");
    }
    const auto now = std::chrono::steady_clock::now();
    if (!bar_ || now - shown_ < between_drawings) {
        return;
    }
    shown_ = now;
    drawn_ = true;
    const auto full = static_cast<size_t>(
        total <= 0 ? bar_width : std::min<int64_t>(bar_width, done * bar_width / total));
    complain("\r\x1b[K[" + std::string(full, '#') + std::string(bar_width - full, '.') +
             "] " + line(done, total));
}

std::string format_bytes(int64_t bytes)
{
    if (bytes < 1024) {
        return std::to_string(bytes) + " B";
    }
    constexpr std::array<const char *, 5> units = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = static_cast<double>(bytes) / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        unit++;
    }
    std::array<char, 40> text{};
    static_cast<void>(
        std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]));
    return text.data();
}

} // namespace ap
