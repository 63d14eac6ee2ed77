#pragma once

#include "domain/answer_cache.hh"
#include "domain/breaker.hh"
#include "domain/call_record.hh"
#include "domain/capability.hh"
#include "domain/state.hh"
#include "sys/worker.hh"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace ap {

/// What the gateway looks up in the state database and keeps there besides its books: who
/// calls, and the breakers. The database is used on a thread of its own; what is asked
/// often is remembered for half a second, so that most calls do not wait.
class GateDisk
{
public:
    using OwnerThen = std::function<void(const std::optional<CapabilityOwner> &)>;
    using AnswerThen = std::function<void(const std::optional<CallRecord> &)>;
    using PermitThen = std::function<void(const BreakerPermit &)>;

    /// Opens the database and registers the process.
    explicit GateDisk(const StatePaths &paths);
    ~GateDisk();
    GateDisk(const GateDisk &) = delete;
    GateDisk &operator=(const GateDisk &) = delete;

    /// Readable when run() has something to do.
    int fd() const noexcept { return worker_.fd(); }
    void run() { worker_.deliver(); }

    /// Who a key belongs to; `then` is called at once or from run(). Throws nothing: a
    /// database that cannot be read is told by trouble(), and nobody.
    void find_owner(std::string_view key, OwnerThen then);

    /// Whether a call may go to where breaker `name` stands; `then` as above. Without a
    /// readable database calls may.
    void ask_breaker(const std::string &name, PermitThen then);

    /// What the call came to, and that it told nothing.
    void report(const std::string &name, const BreakerResult &result,
                const std::string &reason);
    void cancel_probe(const std::string &name, std::optional<int64_t> probe_id);

    /// Has the call appended to the archive in `directory`.
    void archive(const std::string &directory, std::shared_ptr<const CallRecord> record);

    /// The answer kept under answer_key() `key`; `then` is called from run().
    void find_answer(const std::string &key, AnswerThen then);

    /// Keeps an answer, as AnswerCache says.
    void keep_answer(const std::string &key, std::shared_ptr<const CallRecord> answer,
                     int64_t most);

    /// Records a call that was answered without a provider: a usage of nothing.
    void note_hit(const CapabilityOwner &owner, const Usage &usage);

    /// Tells the database that the process lives; to be called every few seconds.
    void touch();

    /// Jobs that wait for the disk.
    size_t pending() const { return worker_.pending(); }

    /// What last went wrong; empty if all is well.
    const std::string &trouble() const noexcept { return trouble_; }

private:
    using TimePoint = std::chrono::steady_clock::time_point;
    struct Known
    {
        CapabilityOwner owner;
        TimePoint at;
    };
    struct Seen
    {
        Breaker breaker;
        TimePoint at;
        bool asking = false;
    };
    struct Answer;

    template <typename Work>
    void post(Work work, const std::function<void(Answer &)> &then);
    void see(const std::string &name, const Breaker &breaker);
    void look_again(const std::string &name, Seen &seen);
    void ask_database(const std::string &name, PermitThen then);
    void forget_old();

    SystemClock clock_;
    State state_;
    Breakers breakers_;
    AnswerCache answers_; // used on the worker's thread only
    std::unordered_map<std::string, Known> owners_;
    std::unordered_map<std::string, Seen> seen_;
    std::string trouble_;
    mutable Worker worker_; // last: ends before what its jobs use
};

} // namespace ap
