#include "sys/worker.hh"

#include "base/error.hh"

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ap {

Worker::Worker(size_t most_waiting)
    : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    , most_waiting_(most_waiting)
{
    if (!ready_) {
        throw_errno("cannot make an eventfd");
    }
    thread_ = std::thread([this] { work(); });
}

Worker::~Worker()
{
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wanted_.notify_one();
    thread_.join();
}

bool Worker::submit(Job job)
{
    {
        const std::lock_guard lock(mutex_);
        if (jobs_.size() >= most_waiting_) {
            return false;
        }
        jobs_.push_back(std::move(job));
    }
    wanted_.notify_one();
    return true;
}

void Worker::deliver()
{
    uint64_t count = 0;
    // Not readable: another call has taken it all.
    static_cast<void>(!read(ready_.get(), &count, sizeof count));
    std::deque<Answer> answers;
    {
        const std::lock_guard lock(mutex_);
        answers.swap(answers_);
    }
    for (const Answer &answer : answers) {
        answer();
    }
}

size_t Worker::pending()
{
    const std::lock_guard lock(mutex_);
    return jobs_.size() + answers_.size() + (busy_ ? 1 : 0);
}

void Worker::work()
{
    std::unique_lock lock(mutex_);
    while (true) {
        wanted_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (ending_) {
            return;
        }
        const Job job = std::move(jobs_.front());
        jobs_.pop_front();
        busy_ = true;
        lock.unlock();
        Answer answer = job();
        lock.lock();
        busy_ = false;
        answers_.push_back(std::move(answer));
        const uint64_t one = 1;
        // The counter cannot overflow; a failed write leaves it readable.
        static_cast<void>(!write(ready_.get(), &one, sizeof one));
    }
}

} // namespace ap
