#pragma once

#include "sys/fd.hh"

#include <condition_variable>
#include <cstdint>
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
/// A thread that does what may wait for the disk, so that a poll loop need not. Jobs run
/// one after the other in the order they were posted, each followed by a call on the
/// loop's thread. All functions are for the loop's thread.
    using Job = std::function<void()>;
    Worker();
    /// Does the jobs that are left, but not their calls.
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
    /// Has `job` done on the worker's thread, and then `then` called by run(). A job must
    /// not throw; what it finds it leaves where `then` looks.
    void post(Job job, Job then = nullptr);
    /// Readable when run() has something to do.
    int fd() const noexcept { return done_event_.get(); }
    /// Makes the calls for the jobs that are done; never waits.
    void run();
    /// Jobs that wait or run.
    size_t pending() const;
    struct Entry
    {
        Job job;
        Job then;
    };
    Fd done_event_;
    mutable std::mutex mutex_;
    std::condition_variable something_;
    std::deque<Entry> jobs_;
    std::deque<Job> done_;
    size_t running_ = 0;
    std::thread thread_;
};

} // namespace ap
