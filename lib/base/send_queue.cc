#include "base/send_queue.hh"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ap {

namespace {

// A buffer that once grew past this is not kept for what comes later.
constexpr size_t kept = 65536;

} // namespace

void SendQueue::assign(std::string bytes)
{
    bytes_ = std::move(bytes);
    taken_ = 0;
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
    const size_t count = std::min(size, this->size());
    std::memcpy(buffer, bytes_.data() + taken_, count);
    drop(count);
    return count;
}

} // namespace ap
