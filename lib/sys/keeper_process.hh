#pragma once

#include <cstddef>
#include <cstdint>

namespace ap {

/// The name (comm) of every keeper process from its first moment on.
inline constexpr const char *keeper_name = "ap-keeper";

/// So many descriptors a start may carry.
inline constexpr size_t most_passed_descriptors = 6;

/// What an executor sends its keeper. `Start` carries the descriptors of the command's
/// standard output and error and, if there are such, its input and a FIFO to be spooled
/// (SCM_RIGHTS), at last the reading ends of output and error, and is followed by
/// `text_size` bytes: the directory, the path of the spool, `words` words and `variables`
/// variables, each with a null byte behind it. An order to end that comes when nothing
/// runs is for a command whose report crossed it, and means nothing.
struct KeeperOrder
{
    enum class Kind : int32_t { Start, Terminate, Kill };

    Kind kind = Kind::Terminate;
    int32_t has_input = 0;
    int32_t has_fifo = 0;
    int32_t has_readers = 0;
    int64_t grace_ms = 0;
    uint64_t words = 0;
    uint64_t variables = 0;
    uint64_t text_size = 0;
};

/// What a keeper sends back when a command and all it left behind has ended.
struct KeeperReport
{
    int wait_status = 0;
    int exec_errno = 0;
    int told_to_end = 0;
    int64_t cpu_ms = 0;
    int64_t max_rss_kib = 0;
};

/// The life of a keeper, called in the child of the fork with all signals blocked: obeys
/// what comes through the socket `channel` until its other end is closed. noexcept: an
/// exception must end this process, never get up into the executor's code that was forked
/// along.
[[noreturn]] void run_keeper(int channel) noexcept;

} // namespace ap
