#pragma once

#include "base/bytes.hh"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace ap {

/// Compresses a stream into a row of zstd frames, each with a checksum of its own, in
/// threads that yield to all others. A frame is of four MiB of the stream and looks back
/// to nothing before it, so the threads need not wait for each other's, and take some
/// seven MiB each.
class ZstdWriter
{
public:
    /// `level` from 1 to 19, `threads` at least 1. `sink` is called in any of the
    /// threads, for one at a time, in the stream's order.
    ZstdWriter(ByteSink sink, int level, int threads);

    /// Gives up what was not given to the sink yet.
    ~ZstdWriter();
    ZstdWriter(const ZstdWriter &) = delete;
    ZstdWriter &operator=(const ZstdWriter &) = delete;

    /// Throws what the sink threw by now.
    void write(std::string_view data);

    /// Compresses what is left; everything is with the sink when it returns. At the end
    /// only.
    void finish();

private:
    struct Lane;

    Lane &next_lane();
    void hand_over(Lane &lane);
    void work(Lane &lane) noexcept;
    void compress(Lane &lane);
    bool wait_for_work(Lane &lane);
    bool wait_for_turn(Lane &lane);
    void end(const std::exception_ptr &error) noexcept;
    void give_up() noexcept;

    ByteSink sink_;
    uint64_t frames_ = 0; // handed over to the lanes
    std::mutex mutex_;    // of the three below, and of whether a lane is full
    std::condition_variable progress_; // for who writes
    uint64_t written_ = 0;             // frames
    bool ended_ = false;
    std::exception_ptr error_;                 // why it ended, if that was too early
    std::vector<std::unique_ptr<Lane>> lanes_; // take turns
};

} // namespace ap
