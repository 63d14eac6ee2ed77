#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ap {

/// Slows down the guessing of passwords: so many tries a minute for each address. In
/// memory, of one process; one thread.
///
/// An IPv4 address counts for itself, an IPv6 address with all of its /64, which is what
/// one customer has. Every try counts, also one that turns out right: an attacker with an
/// account of their own could otherwise clear the count between guesses.
///
/// At most `most_tracked` addresses are remembered, in places that are set aside once, so
/// memory does not grow. They are in one of two queues:
///   counting  used up less than its tries; in order of the last try
///   blocked   used up its tries; in order of the end of its block
/// When all places are taken, a new address gets that of the address that counts and was
/// used longest ago. A blocked one keeps its place until its time is up, however many
/// other addresses come, so none can be cleared by flooding. What a flood can clear is a
/// count below the limit: a guesser who uses it gains a few tries for every
/// `most_tracked` addresses that they have to come from. Should every place be blocked,
/// all addresses without a place share the tries of one. So, whatever comes, there are at
/// most (most_tracked + 1) * tries guesses a minute. Each call costs the same, however
/// many addresses there are.
class LoginLimiter
{
public:
    using Milliseconds = std::chrono::milliseconds;

    static constexpr size_t default_most_tracked = 10'000;
    static constexpr int tries = 5;               ///< in one period
    static constexpr Milliseconds period{60'000}; ///< also the length of a block

    explicit LoginLimiter(size_t most_tracked = default_most_tracked);

    /// What admit() says.
    struct Verdict
    {
        bool allowed = false;
        Milliseconds retry_after{0}; ///< not allowed: the rest of the block
    };

    /// Counts a try of `address` at the monotonic time `now` and says whether it may go
    /// ahead. An address that is none (a Unix socket's "unix") counts under its text.
    Verdict admit(std::string_view address, Milliseconds now);

    /// Addresses with a try in the last period, as of the latest call; at most
    /// most_tracked().
    size_t tracked(Milliseconds now);
    size_t blocked(Milliseconds now);
    size_t most_tracked() const noexcept { return places_.size(); }

private:
    using Key = std::array<uint64_t, 2>;
    using Index = uint32_t;
    static constexpr Index none = UINT32_MAX;

    struct Place
    {
        Key key{};
        std::array<Milliseconds, tries> at{}; // a ring of its last tries
        uint8_t count = 0;                    // of them in use
        uint8_t next = 0;
        bool is_blocked = false;
        Milliseconds blocked_until{0};
        Index newer = none;
        Index older = none;
    };
    struct Queue
    {
        Index newest = none;
        Index oldest = none;
        size_t size = 0;
    };
    struct Hash
    {
        uint64_t seed;
        size_t operator()(const Key &key) const noexcept;
    };

    static Key key_of(std::string_view address);
    void forget_expired(Milliseconds now);
    Index find_place(const Key &key);
    void push(Queue &queue, Index index);
    void take_out(Queue &queue, Index index);
    void release(Queue &queue, Index index);
    Verdict count_try(Place &place, Milliseconds now);

    std::vector<Place> places_;
    std::vector<Index> free_;
    std::unordered_map<Key, Index, Hash> index_;
    Queue counting_;
    Queue blocked_;
    Place overflow_;
};

} // namespace ap
