#pragma once

#include "sys/mailbox.hh"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace ap {

/// A thread that does jobs one after the other, so that its owner, who runs a poll loop,
/// never waits. What a job returns is called on the owner's thread, or on that of another
/// loop which has submitted it.
class Worker
{
public:
    using Answer = Mailbox::Call;
    using Job = std::function<Answer()>;

    /// At most `most_waiting` jobs wait at once.
    explicit Worker(size_t most_waiting);

    /// Drops the jobs that wait and joins the thread when the one under way is done.
    ~Worker();
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;

    /// Queues a job, which must not throw; false if as many wait as may. What it returns,
    /// if that is anything, is left in `answers`, which must be there until the job is
    /// done. From any thread.
    bool submit(Job job, Mailbox &answers);
    bool submit(Job job) { return submit(std::move(job), answers_); }

    /// Readable when deliver() has something to call.
    int fd() const noexcept { return answers_.fd(); }

    /// Calls what jobs that are done returned, in their order.
    void deliver() { answers_.deliver(); }

    /// Waits until no job waits or is under way.
    void wait();

    /// Jobs that wait, are under way, or whose answer to the owner was not delivered.
    size_t pending();

private:
    struct Task
    {
        Job job;
        Mailbox *answers;
    };

    void work();

    Mailbox answers_;
    size_t most_waiting_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    std::condition_variable done_;
    std::deque<Task> tasks_;
    bool ending_ = false;
    bool busy_ = false;
    std::thread thread_;
};

} // namespace ap
