#include "sys/acceptor.hh"

#include "base/error.hh"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto pause_length = 100ms;

// So many at once, before what is under way has its turn.
constexpr int most_at_once = 64;

} // namespace

Acceptor::Acceptor(std::vector<Fd> listening, PollSet &loop, size_t limit, size_t takers,
                   Give give)
    : listening_(std::move(listening))
    , loop_(loop)
    , limit_(limit)
    , give_(std::move(give))
    , takers_(takers)
{
    for (const Fd &socket : listening_) {
        set_nonblocking(socket.get());
    }
    watch(true);
}

Acceptor::~Acceptor()
{
    close();
}

void Acceptor::watch(bool accepts)
{
    for (const Fd &socket : listening_) {
        accepts ? loop_.watch(socket.get(), true, false) : loop_.forget(socket.get());
    }
}

size_t Acceptor::least_busy() const noexcept
{
    const auto least = std::min_element(
        takers_.begin(), takers_.end(),
        [](const Taker &one, const Taker &other) { return one.open() < other.open(); });
    return static_cast<size_t>(least - takers_.begin());
}

bool Acceptor::is_full() const noexcept
{
    uint64_t open = 0;
    for (const Taker &taker : takers_) {
        open += taker.open();
    }
    return open >= limit_;
}

bool Acceptor::take_ready(int fd)
{
    const auto found = std::find_if(listening_.begin(), listening_.end(),
                                    [fd](const Fd &one) { return one.get() == fd; });
    if (found == listening_.end()) {
        return false;
    }
    int left = most_at_once;
    while (left-- > 0 && accept_one(static_cast<size_t>(found - listening_.begin()))) {
    }
    return true;
}

// False if there is none, or no place for it.
bool Acceptor::accept_one(size_t listener)
{
    if (is_full()) {
        // First told, then looked at again: who closes one looks at it afterwards. It is
        // run() that takes it back, whatever comes of it.
        full_ = true;
        if (is_full()) {
            watch(false);
            return false;
        }
    }
    Fd connection(accept4(listening_[listener].get(), nullptr, nullptr,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
        const size_t taker = least_busy();
        takers_[taker].given++;
        give_(taker, listener, std::move(connection));
        return true;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        // It would be readable all the time.
        pause_ = Steady::now() + pause_length;
        watch(false);
        return false;
    case EAGAIN:
        return false;
    default:
        return true; // that one is gone
    }
}

std::optional<std::chrono::milliseconds> Acceptor::timeout() const
{
    if (!pause_) {
        return std::nullopt;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*pause_ - Steady::now());
    return std::max(0ms, left);
}

void Acceptor::run()
{
    const bool waited = pause_ && *pause_ <= Steady::now();
    const bool has_place = full_ && !is_full();
    if (waited || has_place) {
        pause_.reset();
        full_ = false;
        watch(true);
    }
}

bool Acceptor::closed(size_t taker, uint64_t count) noexcept
{
    return takers_[taker].closed.exchange(count) != count && full_.load();
}

void Acceptor::close() noexcept
{
    for (const Fd &socket : listening_) {
        loop_.forget(socket.get());
    }
    listening_.clear();
}

} // namespace ap
