#include "sys/worker.hh"

#include <utility>

namespace ap {

Worker::Worker(size_t most_waiting)
    : most_waiting_(most_waiting)
{
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

bool Worker::submit(Job job, Mailbox &answers)
{
    {
        const std::lock_guard lock(mutex_);
        if (tasks_.size() >= most_waiting_) {
            return false;
        }
        tasks_.push_back({std::move(job), &answers});
    }
    wanted_.notify_one();
    return true;
}

void Worker::wait()
{
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return tasks_.empty() && !busy_; });
}

size_t Worker::pending()
{
    const std::lock_guard lock(mutex_);
    return tasks_.size() + answers_.waiting() + (busy_ ? 1 : 0);
}

void Worker::work()
{
    std::unique_lock lock(mutex_);
    while (true) {
        wanted_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        if (ending_) {
            return;
        }
        const Task task = std::move(tasks_.front());
        tasks_.pop_front();
        busy_ = true;
        lock.unlock();
        Answer answer = task.job();
        lock.lock();
        // Left before anybody is told that the job is done: who waits for that may then
        // take the mailbox away.
        if (answer) {
            task.answers->post(std::move(answer));
        }
        busy_ = false;
        done_.notify_all();
    }
}

} // namespace ap
