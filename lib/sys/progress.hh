#pragma once

#include "sys/signals.hh"

#include <chrono>
#include <cstdint>
#include <string>

namespace ap {

/// Shows on standard error how far long work is: a bar in place if that is a terminal, a
/// line on SIGUSR1 in any case. SIGINT and SIGTERM end the work at the next update().
class ProgressBar
{
public:
    /// `tool` begins the lines; with `quiet` there is no bar.
    ProgressBar(std::string tool, std::string what, bool quiet);
    ~ProgressBar();
    ProgressBar(const ProgressBar &) = delete;
    ProgressBar &operator=(const ProgressBar &) = delete;

    /// Says that `done` of `total` bytes are done. Throws Error(Stopped) after SIGINT or
    /// SIGTERM.
    void update(int64_t done, int64_t total);

private:
    std::string line(int64_t done, int64_t total) const;
    void erase();

    std::string tool_;
    std::string what_;
    bool bar_;
    bool drawn_ = false;
    SignalFd signals_;
    std::chrono::steady_clock::time_point started_;
    std::chrono::steady_clock::time_point shown_;
};

/// Bytes for people: "950 B", "12.3 MiB".
std::string format_bytes(int64_t bytes);

} // namespace ap
