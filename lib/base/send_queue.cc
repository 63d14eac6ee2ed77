#include "base/send_queue.hh"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ap {

namespace {

// A buffer that once grew past this is not kept for what comes later.
constexpr size_t kept = 65536;

} // namespace

void SendQueue::append(std::string_view bytes)
{
    if (shared_.empty()) {
        bytes_ += bytes;
    } else {
        share(std::make_shared<const std::string>(bytes));
    }
}

void SendQueue::share(std::shared_ptr<const std::string> bytes)
{
    shared_size_ += bytes->size();
    shared_.push_back(std::move(bytes));
}

void SendQueue::assign(std::string bytes)
{
    bytes_ = std::move(bytes);
    taken_ = 0;
    shared_.clear();
    first_ = shared_taken_ = shared_size_ = 0;
}

// What is left is moved to the front only when most was taken, so that on average a byte
// is moved once at most.
void SendQueue::drop(size_t count)
{
    taken_ += count;
    if (taken_ == bytes_.size()) {
        bytes_.clear();
        taken_ = 0;
        if (bytes_.capacity() > kept) {
            bytes_.shrink_to_fit();
        }
    } else if (taken_ > kept && taken_ > bytes_.size() / 2) {
        bytes_.erase(0, taken_);
        taken_ = 0;
    }
}

size_t SendQueue::take(char *buffer, size_t size)
{
    const size_t count = std::min(size, bytes_.size() - taken_);
    std::memcpy(buffer, bytes_.data() + taken_, count);
    drop(count);
    return count + (shared_.empty() ? 0 : take_shared(buffer + count, size - count));
}

// As with bytes, places of pieces that were taken are given up when they are most.
size_t SendQueue::take_shared(char *buffer, size_t size)
{
    size_t copied = 0;
    while (first_ < shared_.size() && copied < size) {
        std::shared_ptr<const std::string> &piece = shared_[first_];
        const size_t count = std::min(size - copied, piece->size() - shared_taken_);
        piece->copy(buffer + copied, count, shared_taken_);
        copied += count;
        shared_taken_ += count;
        if (shared_taken_ == piece->size()) {
            piece.reset();
            shared_taken_ = 0;
            first_++;
        }
    }
    if (first_ > shared_.size() / 2) {
        shared_.erase(shared_.begin(), shared_.begin() + static_cast<ptrdiff_t>(first_));
        first_ = 0;
    }
    shared_size_ -= copied;
    return copied;
}

} // namespace ap
