#include "base/text.hh"
#include "cli/listing.hh"
#include "cli/tool.hh"
#include "domain/approval_notice.hh"
#include "domain/approval_wait.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <cstdlib>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'s', "summary", "TEXT", "ask: the question, one line"},
    {'d', "detail", "PATH", "ask: more of it, such as a diff (- for standard input)"},
    {'k', "kind", "KIND", "ask: what sort of question it is (default question)"},
    {'r', "risk", "RISK", "ask: how risky it is, a word"},
    {'t', "timeout", "D", "ask: how long to wait for an answer (default 24h)"},
    {0, "default", "ANSWER", "ask: what holds then, yes or no (default no)"},
    {0, "run", "RUN", "ask, list: the run (ask: by default AUTOPACK_RUN_ID)"},
    {0, "phase", "PHASE", "ask: the phase (default: AUTOPACK_PHASE_ID)"},
    {0, "no-wait", "", "ask: print the approval's number and leave"},
    {'c', "comment", "TEXT", "yes, no: what to tell who asked"},
    {0, "by", "NAME", "yes, no: who decides (default: the user's name)"},
    {'a', "all", "", "list: also what is decided"},
    {'n', "limit", "N", "list: at most so many (default 100)"},
    {0, "json", "", "list, show, ask, wait: print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"ask", "", "ask a person, and wait for the answer", 0, 0},
    {"list", "", "print what waits for an answer", 0, 0},
    {"show", "ID", "print a question with its detail", 1, 1},
    {"yes", "ID", "approve", 1, 1},
    {"no", "ID", "reject", 1, 1},
    {"wait", "ID", "wait for the answer to a question asked before", 1, 1},
    {"notify", "ID", "run the approval command for a question", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-approve",
                               .summary = "ask people, and answer for them",
                               .options = options,
                               .verbs = verbs};

std::string variable(const char *name)
{
    const char *value = std::getenv(name);
    return value == nullptr ? "" : value;
}

int64_t id_of(const ap::Arguments &arguments)
{
    return ap::require_integer(arguments.operand(0), 1, INT64_MAX,
                               std::string(arguments.verb()));
}

ap::ApprovalRequest request_of(const ap::Arguments &arguments)
{
    ap::ApprovalRequest request;
    request.run_id = arguments.value("run").value_or(variable("AUTOPACK_RUN_ID"));
    if (request.run_id.empty()) {
        throw ap::UsageError("ask: no run: give --run or set AUTOPACK_RUN_ID");
    }
    // The phase of the environment is one of the environment's run.
    const bool is_own = !arguments.has("run") && !arguments.has("phase");
    request.phase_id =
        arguments.value("phase").value_or(is_own ? variable("AUTOPACK_PHASE_ID") : "");
    if (is_own && !arguments.has("no-wait")) {
        request.attempt = ap::parse_integer(variable("AUTOPACK_ATTEMPT"), 1, INT64_MAX);
    }
    request.summary = arguments.value("summary").value_or("");
    request.kind = arguments.value("kind").value_or(request.kind);
    request.risk = arguments.value("risk").value_or("");
    request.timeout = arguments.duration("timeout").value_or(request.timeout);
    const std::string otherwise = arguments.value("default").value_or("no");
    if (otherwise != "yes" && otherwise != "no") {
        throw ap::UsageError("--default: expected yes or no, got '" +
                             ap::printable(otherwise) + "'");
    }
    request.granted_on_expiry = otherwise == "yes";
    if (const auto path = arguments.value("detail")) {
        request.detail = ap::read_file(*path, ap::ApprovalRequest::longest_detail);
    }
    return request;
}

ExitStatus wait(const ap::Arguments &arguments, ap::State &state, int64_t id)
{
    const auto approval = ap::wait_for_approval(state, id, ap::SystemClock());
    if (!approval) {
        return ExitStatus::Stopped;
    }
    if (arguments.has("json")) {
        ap::print(ap::approval_to_json(*approval, false).dump() + "\n");
    }
    if (!approval->granted() && approval->comment) {
        ap::warn("approval " + std::to_string(id) + " was rejected: " +
                 ap::printable(*approval->comment, ap::ApprovalRequest::longest_summary));
    }
    return approval->granted() ? ExitStatus::Done : ExitStatus::Failed;
}

ExitStatus notify(ap::State &state, int64_t id)
{
    const std::string failure = ap::notify_of_approval(state, id, ap::SystemClock());
    if (!failure.empty()) {
        ap::warn(failure);
    }
    return failure.empty() ? ExitStatus::Done : ExitStatus::Failed;
}

ExitStatus ask(const ap::Arguments &arguments, ap::State &state)
{
    const ap::SystemClock clock;
    const int64_t id =
        ap::request_approval(state.database(), request_of(arguments), clock);
    notify(state, id); // a question stands whether or not that works
    if (arguments.has("no-wait")) {
        ap::print(std::to_string(id) + "\n");
        return ExitStatus::Done;
    }
    const ExitStatus status = wait(arguments, state, id);
    if (status == ExitStatus::Stopped) {
        ap::withdraw_approval(state.database(), id, clock);
    }
    return status;
}

ExitStatus list(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::ApprovalFilter filter;
    filter.decided = arguments.has("all");
    filter.run_id = arguments.value("run");
    filter.limit = arguments.integer("limit", 1, INT32_MAX).value_or(filter.limit);
    ap::Listing listing(arguments.has("json"), {"ID", "STATE", "RUN", "PHASE", "KIND",
                                                "RISK", "EXPIRES", "SUMMARY"});
    for (const ap::Approval &approval :
         ap::list_approvals(database, filter, ap::SystemClock())) {
        listing.add(ap::approval_to_json(approval, false).dump(),
                    {std::to_string(approval.approval_id),
                     std::string(ap::approval_state_name(approval.state)),
                     approval.run_id, approval.phase_id, approval.kind, approval.risk,
                     ap::format_local(approval.expires_at),
                     ap::visible_lines(approval.summary)});
    }
    listing.finish();
    return ExitStatus::Done;
}

ExitStatus show(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const ap::Approval approval =
        ap::show_approval(database, id_of(arguments), ap::SystemClock());
    ap::print(arguments.has("json") ? ap::approval_to_json(approval, true).dump() + "\n"
                                    : ap::approval_text(approval));
    return ExitStatus::Done;
}

ExitStatus decide(const ap::Arguments &arguments, ap::State &state)
{
    // What asks for an approval is not to give it to itself by mistake.
    if (!variable("AUTOPACK_LEASE").empty()) {
        throw ap::Error(ExitStatus::NoPermission,
                        "a phase may not answer: people do, outside of it");
    }
    ap::ApprovalDecision decision;
    decision.approved = arguments.verb() == "yes";
    decision.by = arguments.value("by").value_or(ap::user_name());
    decision.comment = arguments.value("comment").value_or("");
    ap::decide_approval(state, id_of(arguments), decision, ap::SystemClock());
    return ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const bool reads = verb == "list" || verb == "show";
    ap::State state(ap::state_paths(arguments.value("db")),
                    reads ? ap::State::Access::Read : ap::State::Access::Write,
                    spec.name);
    return verb == "ask"      ? ask(arguments, state)
           : verb == "list"   ? list(arguments, state.database())
           : verb == "show"   ? show(arguments, state.database())
           : verb == "wait"   ? wait(arguments, state, id_of(arguments))
           : verb == "notify" ? notify(state, id_of(arguments))
                              : decide(arguments, state);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
