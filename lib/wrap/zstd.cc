#include "wrap/zstd.hh"

#include "base/error.hh"
#include "sys/process.hh"

#include <algorithm>
#include <string>
#include <thread>
#include <zstd.h>

namespace ap {

namespace {

// What is compressed as one. Half of it gives some 5 % more bytes, as there is less to
// look back to.
constexpr size_t frame_size = size_t{4} << 20;
constexpr int frame_log = 22;

// The least for one write, and what a thread may get ahead of its turn.
constexpr size_t output_size = size_t{1} << 20;

size_t require(size_t code)
{
    if (ZSTD_isError(code) != 0) {
        throw Error(ExitStatus::TryAgain,
                    std::string("cannot compress: ") + ZSTD_getErrorName(code));
    }
    return code;
}

struct Free
{
    void operator()(ZSTD_CCtx *context) const noexcept
    {
        static_cast<void>(ZSTD_freeCCtx(context));
    }
};

using Context = std::unique_ptr<ZSTD_CCtx, Free>;

Context make_context(int level)
{
    Context context(ZSTD_createCCtx());
    if (!context) {
        throw Error(ExitStatus::TryAgain, "no memory to compress");
    }
    const auto set = [&](ZSTD_cParameter parameter, int value) {
        return ZSTD_CCtx_setParameter(context.get(), parameter, value);
    };
    require(set(ZSTD_c_compressionLevel, level));
    require(set(ZSTD_c_checksumFlag, 1));
    require(set(ZSTD_c_windowLog, frame_log));
    constexpr int level_of_two_tables = 3;
    if (level == level_of_two_tables) {
        // Half of what the library takes for long streams: this much stays in the cache
        // of a core, which takes a fifth less time for 2 % more bytes.
        require(set(ZSTD_c_hashLog, 16));
        require(set(ZSTD_c_chainLog, 15));
    }
    // ZSTD_c_stableInBuffer: all of a frame is there when the first call is made. A
    // library that does not know it copies the input for itself.
    static_cast<void>(set(ZSTD_c_experimentalParam9, 1));
    return context;
}

} // namespace

// A thread with the frame it works at. While it is not full the frame belongs to who
// writes, then to the thread.
struct ZstdWriter::Lane
{
    explicit Lane(int level)
        : context(make_context(level))
    {
        input.reserve(frame_size);
    }

    Context context;
    std::string input;
    std::string output = std::string(output_size, '\0');
    uint64_t frame = 0;
    bool full = false;
    std::condition_variable change; // of what the thread waits for
    std::jthread thread;
};

ZstdWriter::ZstdWriter(ByteSink sink, int level, int threads)
    : sink_(std::move(sink))
{
    for (int i = 0; i < threads; i++) {
        lanes_.push_back(std::make_unique<Lane>(level));
    }
    try {
        for (const auto &lane : lanes_) {
            lane->thread = std::jthread([this, &lane = *lane] { work(lane); });
        }
    } catch (...) {
        give_up();
        throw;
    }
}

ZstdWriter::~ZstdWriter()
{
    give_up();
}

// A thread wakes the others, so that none of them may be gone before all have ended.
void ZstdWriter::give_up() noexcept
{
    end(nullptr);
    for (const auto &lane : lanes_) {
        lane->thread = {};
    }
}

void ZstdWriter::end(const std::exception_ptr &error) noexcept
{
    {
        const std::lock_guard lock(mutex_);
        if (!error_) {
            error_ = error;
        }
        ended_ = true;
    }
    progress_.notify_all();
    for (const auto &lane : lanes_) {
        lane->change.notify_all();
    }
}

// The lane that takes the next bytes, once it has done what it had before.
ZstdWriter::Lane &ZstdWriter::next_lane()
{
    Lane &lane = *lanes_[frames_ % lanes_.size()];
    std::unique_lock lock(mutex_);
    progress_.wait(lock, [&] { return ended_ || !lane.full; });
    if (error_) {
        std::rethrow_exception(error_);
    }
    return lane;
}

void ZstdWriter::hand_over(Lane &lane)
{
    {
        const std::lock_guard lock(mutex_);
        lane.frame = frames_++;
        lane.full = true;
    }
    lane.change.notify_one();
}

void ZstdWriter::write(std::string_view data)
{
    while (!data.empty()) {
        Lane &lane = next_lane();
        const std::string_view piece = data.substr(0, frame_size - lane.input.size());
        lane.input.append(piece);
        data.remove_prefix(piece.size());
        if (lane.input.size() == frame_size) {
            hand_over(lane);
        }
    }
}

void ZstdWriter::finish()
{
    Lane &lane = next_lane();
    if (!lane.input.empty() || frames_ == 0) {
        hand_over(lane);
    }
    std::unique_lock lock(mutex_);
    progress_.wait(lock, [this] { return ended_ || written_ == frames_; });
    if (error_) {
        std::rethrow_exception(error_);
    }
}

void ZstdWriter::work(Lane &lane) noexcept
{
    // There always is work, as who gives it goes before, and whoever else wants a
    // processor now and then does too.
    constexpr int behind = 5;
    yield_to_other_threads(behind);
    try {
        while (wait_for_work(lane)) {
            compress(lane);
            Lane &next = *lanes_[(lane.frame + 1) % lanes_.size()];
            {
                const std::lock_guard lock(mutex_);
                lane.input.clear();
                lane.full = false;
                written_++;
            }
            next.change.notify_one();
            progress_.notify_one();
        }
    } catch (...) {
        end(std::current_exception());
    }
}

// False if there will be none.
bool ZstdWriter::wait_for_work(Lane &lane)
{
    std::unique_lock lock(mutex_);
    lane.change.wait(lock, [&] { return ended_ || lane.full; });
    return !ended_;
}

void ZstdWriter::compress(Lane &lane)
{
    ZSTD_inBuffer input = {lane.input.data(), lane.input.size(), 0};
    size_t left = 1;
    while (left != 0) {
        ZSTD_outBuffer output = {lane.output.data(), lane.output.size(), 0};
        left = require(
            ZSTD_compressStream2(lane.context.get(), &output, &input, ZSTD_e_end));
        if (!wait_for_turn(lane)) {
            return;
        }
        sink_(std::string_view(lane.output).substr(0, output.pos));
    }
}

// False if it was given up.
bool ZstdWriter::wait_for_turn(Lane &lane)
{
    std::unique_lock lock(mutex_);
    lane.change.wait(lock, [&] { return ended_ || written_ == lane.frame; });
    return !ended_;
}

} // namespace ap
