#pragma once

#include "base/clock.hh"
#include "domain/state.hh"
#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Where a question to a person stands.
enum class ApprovalState {
    Pending,
    Approved,
    Rejected,
    Expired,   ///< nobody answered in time: its default holds
    Withdrawn, ///< what asked has ended; there is no answer
};

std::string_view approval_state_name(ApprovalState state);

/// A question to be asked.
struct ApprovalRequest
{
    static constexpr std::chrono::milliseconds usual_timeout{std::chrono::hours(24)};
    static constexpr size_t longest_summary = 1000;
    static constexpr size_t longest_detail = size_t{1} << 20;

    std::string run_id;
    std::string phase_id{};           ///< empty: it is about the whole run
    std::optional<int64_t> attempt{}; ///< what asks: its end withdraws the question
    std::string kind = "question";    ///< an identifier
    std::string risk{};               ///< an identifier; empty: not known
    std::string summary;              ///< one line; not empty
    std::string detail{};             ///< such as a diff
    std::chrono::milliseconds timeout = usual_timeout;
    bool granted_on_expiry = false;
    bool guards_phase = false; ///< the phase does not start before it is granted; takes
                               ///< the place of one that was decided before
};

/// A question and what was decided.
struct Approval
{
    int64_t approval_id = 0;
    std::string run_id;
    std::string phase_id;
    std::optional<int64_t> attempt;
    std::string kind;
    std::string risk;
    std::string summary;
    std::string detail; ///< left out of lists
    ApprovalState state = ApprovalState::Pending;
    bool granted_on_expiry = false;
    UnixMs requested_at = 0;
    UnixMs expires_at = 0;
    std::optional<UnixMs> decided_at;
    std::optional<std::string> decided_by;
    std::optional<std::string> comment;
    std::optional<UnixMs> notified_at; ///< when people were told; nothing: that is owed

    bool pending() const noexcept { return state == ApprovalState::Pending; }

    /// Whether what it asks for may be done.
    bool granted() const noexcept
    {
        return state == ApprovalState::Approved ||
               (state == ApprovalState::Expired && granted_on_expiry);
    }
};

/// Records a question, which is in the inbox from then on, and returns its number. Throws
/// Error(NoInput) if the run or phase does not exist, Error(BadData) if the run has ended
/// or a text is empty or too long. Bytes that are not UTF-8 become U+FFFD. Joins the
/// caller's transaction or makes one.
int64_t request_approval(Sqlite &database, const ApprovalRequest &request,
                         const Clock &clock);

/// Throws Error(NoInput) if there is none of that number. One whose time is up is shown
/// as expired, whether or not that is recorded yet.
Approval show_approval(Sqlite &database, int64_t approval_id, const Clock &clock);

/// What a phase goes by, decided or not; nothing if nobody was asked since it was last
/// queued.
std::optional<Approval> approval_in_force(Sqlite &database, std::string_view run_id,
                                          std::string_view phase_id, const Clock &clock);

/// What a list is to hold.
struct ApprovalFilter
{
    bool decided = false; ///< those that wait for nobody any more, too
    std::optional<std::string> run_id;
    std::optional<int64_t> before; ///< only numbers below this one
    int64_t limit = 100;
};

/// Without `decided` those that wait, the one that expires first at the head; with it
/// all, the newest first. Without their detail.
std::vector<Approval> list_approvals(Sqlite &database, const ApprovalFilter &filter,
                                     const Clock &clock);

/// How many wait.
int64_t count_pending_approvals(Sqlite &database, const Clock &clock);

/// The questions of the run that wait and of which nobody was told yet, since the process
/// that asked was killed before; or is about to tell.
std::vector<int64_t> unnotified_approvals(Sqlite &database, std::string_view run_id,
                                          const Clock &clock);

/// Records that people were told of the question, if that was not recorded before.
void note_notified(Sqlite &database, int64_t approval_id, const Clock &clock);

/// The kind of question that a build asks about its change.
inline constexpr std::string_view change_approval = "change";

/// A person's answer.
struct ApprovalDecision
{
    bool approved = false;
    std::string by;        ///< who
    std::string comment{}; ///< at most ApprovalRequest::longest_summary bytes
};

/// Records an answer, lets the phase that waits for it start, and wakes the run's
/// executors and whoever waits. The first answer counts: Error(BadData) says what was
/// decided before, or that the time is up. Error(NoInput) if there is none of that
/// number.
Approval decide_approval(State &state, int64_t approval_id,
                         const ApprovalDecision &decision, const Clock &clock);

/// The approval as it stands; one whose time is up is recorded as expired. Joins the
/// caller's transaction or makes one.
Approval settle_approval(Sqlite &database, int64_t approval_id, const Clock &clock);

/// Takes a question back that nobody waits for any more; nothing if it is decided.
void withdraw_approval(Sqlite &database, int64_t approval_id, const Clock &clock);

/// Why an approval that is no longer pending does not hold, in a few words.
std::string approval_refusal(const Approval &approval);

/// For people, the detail below the rest.
std::string approval_text(const Approval &approval);

/// As the API and --json show it; `with_detail`: with what it is about at length.
Json approval_to_json(const Approval &approval, bool with_detail);

} // namespace ap
