#include "domain/login_limiter.hh"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <functional>
#include <random>
#include <string>

namespace ap {

namespace {

uint64_t random_seed()
{
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
}

// The finaliser of splitmix64; with a secret seed nobody can aim at one bucket.
uint64_t mix(uint64_t value) noexcept
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

} // namespace

LoginLimiter::LoginLimiter(size_t most_tracked)
    : places_(std::max<size_t>(most_tracked, 1))
    , index_(0, Hash{random_seed()})
{
    index_.reserve(places_.size());
    free_.reserve(places_.size());
    for (size_t i = places_.size(); i > 0; i--) {
        free_.push_back(static_cast<Index>(i - 1));
    }
}

size_t LoginLimiter::Hash::operator()(const Key &key) const noexcept
{
    return mix(mix(key[0] ^ seed) + key[1]);
}

LoginLimiter::Key LoginLimiter::key_of(std::string_view address)
{
    const std::string text(address.substr(0, address.find('%'))); // no scope
    std::array<unsigned char, 16> bytes{};
    static constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                                 0, 0, 0, 0, 0xff, 0xff};
    Key key{};
    if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
        std::memcpy(key.data(), bytes.data(), 4);
        key[1] = 4;
    } else if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
        const bool is_ipv4 = std::memcmp(bytes.data(), mapped, sizeof mapped) == 0;
        std::memcpy(key.data(), bytes.data() + (is_ipv4 ? 12 : 0), is_ipv4 ? 4 : 8);
        key[1] = is_ipv4 ? 4 : 6;
    } else {
        key = {std::hash<std::string_view>{}(address), 1};
    }
    return key;
}

void LoginLimiter::push(Queue &queue, Index index)
{
    Place &place = places_[index];
    place.newer = none;
    place.older = queue.newest;
    (queue.newest == none ? queue.oldest : places_[queue.newest].newer) = index;
    queue.newest = index;
    queue.size++;
}

void LoginLimiter::take_out(Queue &queue, Index index)
{
    const Place &place = places_[index];
    (place.newer == none ? queue.newest : places_[place.newer].older) = place.older;
    (place.older == none ? queue.oldest : places_[place.older].newer) = place.newer;
    queue.size--;
}

void LoginLimiter::release(Queue &queue, Index index)
{
    take_out(queue, index);
    index_.erase(places_[index].key);
    places_[index] = Place{};
    free_.push_back(index);
}

// Each place is released once for each time it was taken, so this is constant on average.
void LoginLimiter::forget_expired(Milliseconds now)
{
    const auto last_try = [](const Place &place) {
        return place.at[(place.next + tries - 1) % tries];
    };
    while (blocked_.oldest != none && places_[blocked_.oldest].blocked_until <= now) {
        release(blocked_, blocked_.oldest);
    }
    while (counting_.oldest != none &&
           last_try(places_[counting_.oldest]) + period <= now) {
        release(counting_, counting_.oldest);
    }
}

LoginLimiter::Index LoginLimiter::find_place(const Key &key)
{
    if (free_.empty()) {
        if (counting_.oldest == none) {
            return none;
        }
        release(counting_, counting_.oldest);
    }
    const Index index = free_.back();
    free_.pop_back();
    places_[index].key = key;
    index_.emplace(key, index);
    push(counting_, index);
    return index;
}

LoginLimiter::Verdict LoginLimiter::count_try(Place &place, Milliseconds now)
{
    // The ring's next slot holds the oldest of the last tries once all are in use.
    if (place.count == tries && place.at[place.next] + period > now) {
        place.is_blocked = true;
        place.blocked_until = now + period;
        return {false, period};
    }
    place.at[place.next] = now;
    place.next = static_cast<uint8_t>((place.next + 1) % tries);
    place.count = static_cast<uint8_t>(std::min<int>(place.count + 1, tries));
    return {true, Milliseconds{0}};
}

LoginLimiter::Verdict LoginLimiter::admit(std::string_view address, Milliseconds now)
{
    forget_expired(now);
    const Key key = key_of(address);
    const auto found = index_.find(key);
    const Index index = found != index_.end() ? found->second : find_place(key);
    if (index == none) {
        if (overflow_.is_blocked && overflow_.blocked_until <= now) {
            overflow_ = Place{};
        }
        return overflow_.is_blocked ? Verdict{false, overflow_.blocked_until - now}
                                    : count_try(overflow_, now);
    }
    Place &place = places_[index];
    if (place.is_blocked) {
        return {false, place.blocked_until - now};
    }
    take_out(counting_, index);
    const Verdict verdict = count_try(place, now);
    push(place.is_blocked ? blocked_ : counting_, index);
    return verdict;
}

size_t LoginLimiter::tracked(Milliseconds now)
{
    forget_expired(now);
    return counting_.size + blocked_.size;
}

size_t LoginLimiter::blocked(Milliseconds now)
{
    forget_expired(now);
    return blocked_.size;
}

} // namespace ap
