#pragma once

#include "sys/fd.hh"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace ap {

/// A thread that does jobs one after the other, so that its owner, who runs a poll loop,
/// never waits. What a job returns is called on the owner's thread.
class Worker
{
public:
    using Answer = std::function<void()>;
    using Job = std::function<Answer()>;

    /// At most `most_waiting` jobs wait at once.
    explicit Worker(size_t most_waiting);

    /// Drops the jobs that wait and joins the thread when the one under way is done.
    ~Worker();
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    /// Queues a job, which must not throw; false if as many wait as may.
    bool submit(Job job);

    /// Readable when deliver() has something to call.
    int fd() const noexcept { return ready_.get(); }

    /// Calls what jobs that are done returned, in their order.
    void deliver();

    /// Jobs that wait, are under way, or whose answer was not delivered.
    size_t pending();

private:
    void work();

    Fd ready_;
    size_t most_waiting_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    std::deque<Job> jobs_;
    std::deque<Answer> answers_;
    bool ending_ = false;
    bool busy_ = false;
    std::thread thread_;
};

} // namespace ap
