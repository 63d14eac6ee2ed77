#pragma once

#include "domain/breaker.hh"
#include "domain/call_record.hh"
#include "domain/capability.hh"
#include "net/gate_store.hh"
#include "sys/mailbox.hh"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ap {

/// What one of the gateway's loops looks up in the store, and has kept there: who calls,
/// and the breakers. What is asked often is remembered, so that most calls do not wait.
class GateDisk
{
public:
    using OwnerThen = std::function<void(const std::optional<CapabilityOwner> &)>;
    using AnswerThen = std::function<void(const std::optional<CallRecord> &)>;
    using PermitThen = std::function<void(const BreakerPermit &)>;

    /// What is found is told from `mailbox`, which must outlive this.
    GateDisk(GateStore &store, Mailbox &mailbox)
        : store_(store)
        , mailbox_(mailbox)
    {
    }

    /// Waits until all that the store was asked for is done.
    ~GateDisk() { store_.wait(); }
    GateDisk(const GateDisk &) = delete;
    GateDisk &operator=(const GateDisk &) = delete;

    /// Who a key belongs to; `then` is called at once or later. Throws nothing: of a
    /// database that cannot be read the store tells, and `then` is told nobody.
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

    /// The answer kept under answer_key() `key`; `then` is called later.
    void find_answer(const std::string &key, AnswerThen then);

    /// Keeps an answer, as AnswerCache says.
    void keep_answer(const std::string &key, std::shared_ptr<const CallRecord> answer,
                     int64_t most);

    /// Records a call that was answered without a provider: a usage of nothing.
    void note_hit(const CapabilityOwner &owner, const Usage &usage);

private:
    struct Answer;

    using Work = std::function<void(GateStore &, Answer &)>;
    void post(Work work, const std::function<void(const Answer &)> &then);
    void ask_database(const std::string &name, PermitThen then);

    GateStore &store_;
    Mailbox &mailbox_;
};

} // namespace ap
