#include "domain/control.hh"

#include "base/text.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <fcntl.h>

namespace ap {

namespace {

struct VerbName
{
    ControlVerb verb;
    std::string_view name;
};

constexpr VerbName verb_names[] = {
    {ControlVerb::Stop, "stop"},       {ControlVerb::Abort, "abort"},
    {ControlVerb::Timeout, "timeout"}, {ControlVerb::Pause, "pause"},
    {ControlVerb::Resume, "resume"},
};

std::string quoted(std::string_view name)
{
    return "'" + printable(name) + "'";
}

void require_open_run(Sqlite &database, std::string_view run_id)
{
    Statement statement = database.prepare("SELECT status FROM runs WHERE run_id = ?");
    statement.bind_all(run_id);
    if (!statement.step()) {
        throw Error(ExitStatus::NoInput, "no run " + quoted(run_id));
    }
    const std::string_view status = statement.text(0);
    if (status.starts_with("DONE_")) {
        throw Error(ExitStatus::BadData,
                    "run " + quoted(run_id) + " has ended (" + std::string(status) + ")");
    }
}

void require_open_phase(Sqlite &database, std::string_view run_id,
                        std::string_view phase_id)
{
    Statement statement =
        database.prepare("SELECT status FROM phases WHERE run_id = ? AND phase_id = ?");
    statement.bind_all(run_id, phase_id);
    const std::string name = "phase " + quoted(phase_id);
    if (!statement.step()) {
        throw Error(ExitStatus::NoInput, "run " + quoted(run_id) + " has no " + name);
    }
    const std::string_view status = statement.text(0);
    if (status == "COMPLETE" || status == "FAILED" || status == "SKIPPED") {
        throw Error(ExitStatus::BadData, name + " of run " + quoted(run_id) +
                                             " has ended (" + std::string(status) + ")");
    }
}

int64_t insert_control(Sqlite &database, std::string_view run_id, ControlVerb verb,
                       std::string_view phase_id, std::string_view source,
                       const Clock &clock)
{
    database
        .prepare("INSERT INTO controls (run_id, verb, phase_id, source, requested_at)"
                 " VALUES (?, ?, ?, ?, ?)")
        .bind_all(run_id, control_verb_name(verb), phase_id, source, clock.now())
        .run();
    const int64_t control_id = database.last_insert_id();
    const std::string detail = Json::object()
                                   .set("control_id", control_id)
                                   .set("verb", control_verb_name(verb))
                                   .set("source", source)
                                   .dump();
    append_event(database, "control.requested", run_id, phase_id, 0, detail);
    return control_id;
}

void request_end(Sqlite &database, std::string_view run_id, ControlVerb verb)
{
    // An abort stands until it is done: a later stop must not soften it.
    database
        .prepare("UPDATE runs SET requested = ?2 WHERE run_id = ?1"
                 " AND requested IS NOT 'abort'")
        .bind_all(run_id, control_verb_name(verb))
        .run();
}

void set_paused(Sqlite &database, std::string_view run_id, bool paused,
                int64_t control_id, const Clock &clock)
{
    database.prepare("UPDATE runs SET paused = ?2 WHERE run_id = ?1 AND paused <> ?2")
        .bind_all(run_id, paused ? 1 : 0)
        .run();
    const bool changed = database.changes() == 1;
    const std::string_view outcome =
        paused ? (changed ? "run paused" : "run was paused already")
               : (changed ? "run resumed" : "run was not paused");
    apply_control(database, control_id, outcome, clock);
}

void carry_out_or_leave(Sqlite &database, std::string_view run_id, ControlVerb verb,
                        int64_t control_id, const Clock &clock)
{
    switch (verb) {
    case ControlVerb::Stop:
    case ControlVerb::Abort:
        request_end(database, run_id, verb);
        break;
    case ControlVerb::Pause:
    case ControlVerb::Resume:
        set_paused(database, run_id, verb == ControlVerb::Pause, control_id, clock);
        break;
    case ControlVerb::Timeout:
        break;
    }
}

constexpr std::string_view control_columns =
    "SELECT control_id, verb, phase_id, applied_at, outcome FROM controls ";

Control read_control(const Statement &row)
{
    Control control;
    control.control_id = row.integer(0);
    // The table's CHECK admits no other names.
    control.verb = control_verb_of(row.text(1)).value_or(ControlVerb::Stop);
    control.phase_id = row.text(2);
    control.applied_at = row.optional_integer(3);
    control.outcome = row.optional_text(4);
    return control;
}

} // namespace

std::string_view control_verb_name(ControlVerb verb)
{
    for (const VerbName &entry : verb_names) {
        if (entry.verb == verb) {
            return entry.name;
        }
    }
    return {};
}

std::optional<ControlVerb> control_verb_of(std::string_view name)
{
    for (const VerbName &entry : verb_names) {
        if (entry.name == name) {
            return entry.verb;
        }
    }
    return std::nullopt;
}

int64_t submit_control(Sqlite &database, std::string_view run_id, ControlVerb verb,
                       std::string_view phase_id, std::string_view source,
                       const Clock &clock)
{
    int64_t control_id = 0;
    in_transaction(database, [&] {
        require_open_run(database, run_id);
        if (verb == ControlVerb::Timeout) {
            require_open_phase(database, run_id, phase_id);
        }
        control_id = insert_control(database, run_id, verb, phase_id, source, clock);
        carry_out_or_leave(database, run_id, verb, control_id, clock);
    });
    return control_id;
}

std::vector<Control> pending_controls(Sqlite &database, std::string_view run_id)
{
    Statement statement = database.prepare(
        std::string(control_columns) +
        "WHERE run_id = ? AND applied_at IS NULL ORDER BY run_id, control_id");
    statement.bind_all(run_id);
    std::vector<Control> controls;
    while (statement.step()) {
        controls.push_back(read_control(statement));
    }
    return controls;
}

void apply_control(Sqlite &database, int64_t control_id, std::string_view outcome,
                   const Clock &clock)
{
    in_transaction(database, [&] {
        Statement update =
            database.prepare("UPDATE controls SET applied_at = ?2, outcome = ?3"
                             " WHERE control_id = ?1 AND applied_at IS NULL"
                             " RETURNING run_id, phase_id, verb");
        update.bind_all(control_id, clock.now(), outcome);
        if (!update.step()) {
            return;
        }
        const std::string run_id(update.text(0));
        const std::string phase_id(update.text(1));
        const std::string detail = Json::object()
                                       .set("control_id", control_id)
                                       .set("verb", update.text(2))
                                       .set("outcome", outcome)
                                       .dump();
        update.run();
        append_event(database, "control.applied", run_id, phase_id, 0, detail);
    });
}

Control show_control(Sqlite &database, int64_t control_id)
{
    Statement statement =
        database.prepare(std::string(control_columns) + "WHERE control_id = ?");
    statement.bind_all(control_id);
    if (!statement.step()) {
        throw Error(ExitStatus::NoInput,
                    "no control request " + std::to_string(control_id));
    }
    return read_control(statement);
}

void wake_executors(const StatePaths &paths, std::string_view run_id) noexcept
{
    try {
        // Closing a file that was open for writing is what a DirectoryWatch reports; not
        // a byte needs to change, so this works on a full disk too.
        open_file(join_path(paths.run_directory(run_id), ".wake"),
                  O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    } catch (const std::exception &) {
        // Without the directory there is no executor that could be woken.
        return;
    }
}

std::string control_fifo_path(const StatePaths &paths, std::string_view run_id)
{
    return join_path(paths.run_directory(run_id), "control");
}

void submit_control_line(Sqlite &database, std::string_view run_id, std::string_view line,
                         const Clock &clock)
{
    const std::string_view words = trim(line);
    if (words == "wake") {
        return;
    }
    const size_t blank = words.find_first_of(" \t");
    const std::string_view operand =
        blank == words.npos ? std::string_view() : trim(words.substr(blank));
    const std::optional<ControlVerb> verb = control_verb_of(words.substr(0, blank));
    const bool well_formed =
        verb == ControlVerb::Timeout ? is_identifier(operand) : operand.empty();
    if (!verb || !well_formed) {
        throw Error(ExitStatus::BadData, "control line: expected stop, abort, timeout "
                                         "PHASE, pause, resume or wake, got " +
                                             quoted(line));
    }
    submit_control(database, run_id, *verb, operand, "fifo", clock);
}

} // namespace ap
