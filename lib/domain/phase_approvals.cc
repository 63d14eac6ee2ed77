#include "domain/phase_approvals.hh"

#include "base/text.hh"

#include <utility>

namespace ap {

namespace {

ApprovalRequest request_of(const Lease &lease)
{
    const PhaseApproval &wanted = *lease.phase.approval;
    ApprovalRequest request;
    request.run_id = lease.run_id;
    request.phase_id = lease.phase.id;
    request.kind = "phase";
    request.summary = wanted.summary;
    request.timeout = wanted.timeout;
    request.granted_on_expiry = wanted.granted_on_expiry;
    request.guards_phase = true;
    return request;
}

PhaseApprovals::Answer waiting(int64_t approval_id, UnixMs until)
{
    return {PhaseApprovals::Answer::Kind::Wait, until,
            "waits for approval " + std::to_string(approval_id)};
}

} // namespace

PhaseApprovals::Answer PhaseApprovals::ask(const Lease &lease)
{
    if (!lease.phase.approval && !lease.phase.build) {
        return {};
    }
    Sqlite &database = state_.database();
    const auto standing =
        approval_in_force(database, lease.run_id, lease.phase.id, clock_);
    if (!standing && !lease.phase.approval) {
        return {};
    }
    if (!standing) {
        const ApprovalRequest request = request_of(lease);
        const int64_t id = request_approval(database, request, clock_);
        asked_.push_back(id);
        return waiting(id, clock_.now() + request.timeout.count());
    }
    if (standing->pending()) {
        if (!standing->notified_at) {
            asked_.push_back(standing->approval_id);
        }
        return waiting(standing->approval_id, standing->expires_at);
    }
    const Approval settled = settle_approval(database, standing->approval_id, clock_);
    // A change that may not go in still has a build to be ended, by the phase itself.
    return settled.granted() || settled.kind == change_approval
               ? Answer{}
               : Answer{Answer::Kind::Refuse, 0, approval_refusal(settled)};
}

void PhaseApprovals::notify()
{
    for (const int64_t id : std::exchange(asked_, {})) {
        notices_.start(state_, id);
    }
}

void PhaseApprovals::notify_owed(std::string_view run_id)
{
    for (const int64_t id : unnotified_approvals(state_.database(), run_id, clock_)) {
        notices_.start(state_, id);
    }
}

} // namespace ap
