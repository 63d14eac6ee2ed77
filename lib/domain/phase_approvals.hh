#pragma once

#include "domain/approval_notice.hh"
#include "domain/lease.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The approvals that phases ask for (`approval` in ap-plan(5)): asked before the first
/// attempt starts. What a build of the phase asks (ap-build(1)) guards it as well.
/// Nothing is held while people think: the lease goes back in the transaction that gave
/// it, and the answer queues the phase again.
class PhaseApprovals
{
public:
    PhaseApprovals(State &state, const Clock &clock)
        : state_(state)
        , clock_(clock)
    {
    }

    /// What is to become of a lease.
    struct Answer
    {
        enum class Kind { Start, Wait, Refuse };
        Kind kind = Kind::Start;
        UnixMs until = 0;     ///< Wait: when to ask again at the latest
        std::string reason{}; ///< Wait, Refuse
    };

    /// Whether the phase may start; records the question if nobody was asked yet. Call in
    /// the transaction of the lease.
    Answer ask(const Lease &lease);

    /// Notifies people of the questions recorded since; call after the commit.
    void notify();

    /// Notifies people of those of the run that whoever asked was killed before telling.
    void notify_owed(std::string_view run_id);

private:
    State &state_;
    const Clock &clock_;
    std::vector<int64_t> asked_;
    ApprovalNotices notices_;
};

} // namespace ap
