#include "domain/approval.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/control.hh"

#include <algorithm>

namespace ap {

namespace {

struct StateName
{
    ApprovalState state;
    std::string_view name;
};

constexpr StateName state_names[] = {{ApprovalState::Pending, "PENDING"},
                                     {ApprovalState::Approved, "APPROVED"},
                                     {ApprovalState::Rejected, "REJECTED"},
                                     {ApprovalState::Expired, "EXPIRED"},
                                     {ApprovalState::Withdrawn, "WITHDRAWN"}};

// The detail may be long; a list does without it.
constexpr std::string_view columns =
    "SELECT approval_id, run_id, phase_id, attempt, kind, risk, summary, state, "
    "default_decision, requested_at, expires_at, decided_at, decided_by, comment, "
    "notified_at";

constexpr int detail_column = 15;

ApprovalState state_of(std::string_view name)
{
    const auto *found = std::find_if(std::begin(state_names), std::end(state_names),
                                     [&](const auto &row) { return row.name == name; });
    if (found == std::end(state_names)) {
        throw Error(ExitStatus::BadData, "unknown state of an approval");
    }
    return found->state;
}

Approval read_approval(const Statement &row, UnixMs now)
{
    Approval approval;
    approval.approval_id = row.integer(0);
    approval.run_id = row.text(1);
    approval.phase_id = row.text(2);
    approval.attempt = row.optional_integer(3);
    approval.kind = row.text(4);
    approval.risk = row.text(5);
    approval.summary = row.text(6);
    approval.state = state_of(row.text(7));
    approval.granted_on_expiry = row.text(8) == "yes";
    approval.requested_at = row.integer(9);
    approval.expires_at = row.integer(10);
    approval.decided_at = row.optional_integer(11);
    approval.decided_by = row.optional_text(12);
    approval.comment = row.optional_text(13);
    approval.notified_at = row.optional_integer(14);
    if (approval.pending() && approval.expires_at <= now) {
        approval.state = ApprovalState::Expired;
        approval.decided_at = approval.expires_at;
    }
    return approval;
}

void require(bool sound, std::string_view what, std::string_view expected)
{
    if (!sound) {
        throw Error(ExitStatus::BadData, std::string(what) +
                                             " of an approval: expected " +
                                             std::string(expected));
    }
}

void check_request(const ApprovalRequest &request)
{
    require(!trim(request.summary).empty() &&
                request.summary.size() <= ApprovalRequest::longest_summary &&
                request.summary.find('\n') == std::string::npos,
            "summary", "one line of 1 to 1000 bytes");
    require(request.detail.size() <= ApprovalRequest::longest_detail, "detail",
            "at most 1 MiB");
    require(is_identifier(request.kind), "kind", "letters, digits, '.', '_' and '-'");
    require(request.risk.empty() || is_identifier(request.risk), "risk",
            "letters, digits, '.', '_' and '-'");
    require(request.timeout.count() > 0, "timeout", "more than 0");
}

void require_open_run(Sqlite &database, const ApprovalRequest &request)
{
    Statement query = database.prepare(
        "SELECT status LIKE 'DONE%', ?2 = '' OR EXISTS (SELECT 1 FROM phases "
        "WHERE run_id = ?1 AND phase_id = ?2) FROM runs WHERE run_id = ?1");
    query.bind_all(request.run_id, request.phase_id);
    if (!query.step()) {
        throw Error(ExitStatus::NoInput, "no run '" + printable(request.run_id) + "'");
    }
    const std::string run = "run '" + request.run_id + "'";
    if (query.integer(1) == 0) {
        throw Error(ExitStatus::NoInput,
                    run + " has no phase '" + printable(request.phase_id) + "'");
    }
    if (query.integer(0) != 0) {
        throw Error(ExitStatus::BadData, run + " has ended: nobody waits for an answer");
    }
}

// What is stored is UTF-8, whatever came.
std::string repaired(const std::string &text)
{
    return Json::string(text).as_string();
}

std::string past_decision(const Approval &approval)
{
    std::string text = "approval " + std::to_string(approval.approval_id);
    if (approval.state == ApprovalState::Expired) {
        return text + " has expired (" + format_rfc3339(approval.expires_at) + ")";
    }
    if (approval.state == ApprovalState::Withdrawn) {
        return text + " was withdrawn: what asked has ended";
    }
    const bool approved = approval.state == ApprovalState::Approved;
    return text + " was " + (approved ? "approved" : "rejected") + " before, by " +
           approval.decided_by.value_or("somebody") + " at " +
           format_rfc3339(approval.decided_at.value_or(0));
}

bool record_decision(Sqlite &database, int64_t approval_id,
                     const ApprovalDecision &decision, UnixMs now)
{
    const std::optional<std::string> comment =
        decision.comment.empty() ? std::nullopt
                                 : std::optional(repaired(decision.comment));
    database
        .prepare("UPDATE approvals SET state = ?2, decided_at = ?3, decided_by = ?4, "
                 "comment = ?5 WHERE approval_id = ?1 AND state = 'PENDING' "
                 "AND expires_at > ?3")
        .bind_all(approval_id, decision.approved ? "APPROVED" : "REJECTED", now,
                  repaired(decision.by), comment)
        .run();
    return database.changes() > 0;
}

// The phase that goes by the answer may be looked at again.
void release_phase(Sqlite &database, int64_t approval_id)
{
    database
        .prepare("UPDATE phases SET not_before = 0, waits_from = 0 "
                 "WHERE status = 'QUEUED' AND (run_id, phase_id) = (SELECT run_id, "
                 "phase_id FROM approvals WHERE approval_id = ?1 AND in_force = 1)")
        .bind_all(approval_id)
        .run();
}

Json instant(const std::optional<UnixMs> &at)
{
    return at ? Json::string(format_rfc3339(*at)) : Json::null();
}

} // namespace

std::string_view approval_state_name(ApprovalState state)
{
    return state_names[static_cast<size_t>(state)].name;
}

int64_t request_approval(Sqlite &database, const ApprovalRequest &request,
                         const Clock &clock)
{
    check_request(request);
    int64_t approval_id = 0;
    in_transaction(database, [&] {
        require_open_run(database, request);
        const UnixMs now = clock.now();
        if (request.guards_phase) {
            database
                .prepare("UPDATE approvals SET in_force = 0 WHERE run_id = ?1 "
                         "AND phase_id = ?2 AND in_force = 1 AND state <> 'PENDING'")
                .bind_all(request.run_id, request.phase_id)
                .run();
        }
        database
            .prepare("INSERT INTO approvals (run_id, phase_id, attempt, kind, risk, "
                     "summary, detail, default_decision, in_force, requested_at, "
                     "expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
            .bind_all(request.run_id, request.phase_id, request.attempt, request.kind,
                      request.risk, repaired(request.summary), repaired(request.detail),
                      request.granted_on_expiry ? "yes" : "no", int{request.guards_phase},
                      now, now + request.timeout.count())
            .run();
        approval_id = database.last_insert_id();
    });
    return approval_id;
}

Approval show_approval(Sqlite &database, int64_t approval_id, const Clock &clock)
{
    Statement row = database.prepare(std::string(columns) +
                                     ", detail FROM approvals WHERE approval_id = ?1");
    row.bind_all(approval_id);
    if (!row.step()) {
        throw Error(ExitStatus::NoInput, "no approval " + std::to_string(approval_id));
    }
    Approval approval = read_approval(row, clock.now());
    approval.detail = row.text(detail_column);
    return approval;
}

std::optional<Approval> approval_in_force(Sqlite &database, std::string_view run_id,
                                          std::string_view phase_id, const Clock &clock)
{
    Statement row = database.prepare(std::string(columns) +
                                     " FROM approvals INDEXED BY approvals_in_force "
                                     "WHERE run_id = ?1 AND phase_id = ?2 "
                                     "AND in_force = 1");
    row.bind_all(run_id, phase_id);
    return row.step() ? std::optional(read_approval(row, clock.now())) : std::nullopt;
}

std::vector<Approval> list_approvals(Sqlite &database, const ApprovalFilter &filter,
                                     const Clock &clock)
{
    const UnixMs now = clock.now();
    const std::string from =
        filter.decided ? filter.run_id ? " FROM approvals WHERE run_id = ?1 AND "
                                       : " FROM approvals WHERE ?1 IS NULL AND "
                       : " FROM approvals INDEXED BY approvals_pending WHERE "
                         "state = 'PENDING' AND (?1 IS NULL OR run_id = ?1) AND "
                         "expires_at > ?4 AND ";
    Statement rows = database.prepare(
        std::string(columns) + from + "(?2 IS NULL OR approval_id < ?2) ORDER BY " +
        (filter.decided ? "approval_id DESC" : "expires_at, approval_id") + " LIMIT ?3");
    rows.bind_all(filter.run_id, filter.before, filter.limit);
    if (!filter.decided) {
        rows.bind(4, now);
    }
    std::vector<Approval> list;
    while (rows.step()) {
        list.push_back(read_approval(rows, now));
    }
    return list;
}

int64_t count_pending_approvals(Sqlite &database, const Clock &clock)
{
    Statement count =
        database.prepare("SELECT count(*) FROM approvals INDEXED BY approvals_pending "
                         "WHERE state = 'PENDING' AND expires_at > ?1");
    count.bind_all(clock.now());
    return count.step() ? count.integer(0) : 0;
}

std::vector<int64_t> unnotified_approvals(Sqlite &database, std::string_view run_id,
                                          const Clock &clock)
{
    Statement rows =
        database.prepare("SELECT approval_id FROM approvals INDEXED BY approvals_pending "
                         "WHERE state = 'PENDING' AND run_id = ?1 AND expires_at > ?2 "
                         "AND notified_at IS NULL ORDER BY approval_id");
    rows.bind_all(run_id, clock.now());
    std::vector<int64_t> ids;
    while (rows.step()) {
        ids.push_back(rows.integer(0));
    }
    return ids;
}

void note_notified(Sqlite &database, int64_t approval_id, const Clock &clock)
{
    database
        .prepare("UPDATE approvals SET notified_at = ?2 "
                 "WHERE approval_id = ?1 AND notified_at IS NULL")
        .bind_all(approval_id, clock.now())
        .run();
}

Approval decide_approval(State &state, int64_t approval_id,
                         const ApprovalDecision &decision, const Clock &clock)
{
    require(decision.comment.size() <= ApprovalRequest::longest_summary, "comment",
            "at most 1000 bytes");
    Sqlite &database = state.database();
    bool is_first = false;
    Approval approval;
    {
        Transaction transaction(database);
        is_first = record_decision(database, approval_id, decision, clock.now());
        approval = settle_approval(database, approval_id, clock);
        release_phase(database, approval_id);
        transaction.commit();
    }
    wake_executors(state.paths(), approval.run_id);
    if (!is_first) {
        throw Error(ExitStatus::BadData, past_decision(approval));
    }
    return approval;
}

Approval settle_approval(Sqlite &database, int64_t approval_id, const Clock &clock)
{
    Approval approval = show_approval(database, approval_id, clock);
    if (approval.state == ApprovalState::Expired) {
        database
            .prepare("UPDATE approvals SET state = 'EXPIRED', decided_at = expires_at "
                     "WHERE approval_id = ?1 AND state = 'PENDING'")
            .bind_all(approval_id)
            .run();
    }
    return approval;
}

void withdraw_approval(Sqlite &database, int64_t approval_id, const Clock &clock)
{
    database
        .prepare("UPDATE approvals SET state = 'WITHDRAWN', decided_at = ?2 "
                 "WHERE approval_id = ?1 AND state = 'PENDING'")
        .bind_all(approval_id, clock.now())
        .run();
}

std::string approval_refusal(const Approval &approval)
{
    const std::string name = "approval " + std::to_string(approval.approval_id);
    if (approval.state != ApprovalState::Rejected) {
        return name + (approval.state == ApprovalState::Expired ? " was not given in time"
                                                                : " was withdrawn");
    }
    return name + " was rejected by " + approval.decided_by.value_or("somebody") +
           (approval.comment ? ": " + *approval.comment : "");
}

std::string approval_text(const Approval &approval)
{
    const std::string phase =
        approval.phase_id.empty() ? "" : ", phase " + approval.phase_id;
    const std::string attempt =
        approval.attempt ? ", attempt " + std::to_string(*approval.attempt) : "";
    std::string text = "approval " + std::to_string(approval.approval_id) + ": " +
                       std::string(approval_state_name(approval.state)) + "\n" + "run " +
                       approval.run_id + phase + attempt + "\n" + approval.kind +
                       (approval.risk.empty() ? "" : ", risk " + approval.risk) + ": " +
                       visible_lines(approval.summary) + "\n" + "asked " +
                       format_local(approval.requested_at) + ", " +
                       (approval.granted_on_expiry ? "yes" : "no") + " at " +
                       format_local(approval.expires_at) + " without an answer\n";
    if (approval.decided_by) {
        text += "decided by " + visible_lines(*approval.decided_by) + " " +
                format_local(approval.decided_at.value_or(0)) + "\n";
    }
    if (approval.comment) {
        text += "comment: " + visible_lines(*approval.comment) + "\n";
    }
    return approval.detail.empty() ? text : text + "\n" + visible_lines(approval.detail);
}

Json approval_to_json(const Approval &approval, bool with_detail)
{
    const auto or_null = [](const std::string &text) {
        return text.empty() ? Json::null() : Json::string(text);
    };
    Json json = Json::object();
    json.set("approval_id", approval.approval_id)
        .set("run_id", approval.run_id)
        .set("phase_id", or_null(approval.phase_id))
        .set("attempt", approval.attempt)
        .set("kind", approval.kind)
        .set("risk", or_null(approval.risk))
        .set("summary", approval.summary)
        .set("state", approval_state_name(approval.state))
        .set("granted", approval.granted())
        .set("default", approval.granted_on_expiry ? "yes" : "no")
        .set("requested_at", format_rfc3339(approval.requested_at))
        .set("expires_at", format_rfc3339(approval.expires_at))
        .set("decided_at", instant(approval.decided_at))
        .set("decided_by", approval.decided_by)
        .set("comment", approval.comment);
    return with_detail ? json.set("detail", approval.detail) : json;
}

} // namespace ap
