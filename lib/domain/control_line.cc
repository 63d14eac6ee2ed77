#include "domain/control_line.hh"

#include "base/text.hh"

namespace ap {

namespace {

using Kind = ControlLine::Kind;

ControlLine nonsense(std::string reason)
{
    return {Kind::Nonsense, {}, std::move(reason)};
}

bool exists(Statement statement)
{
    return statement.step();
}

bool run_exists(Sqlite &database, std::string_view run_id)
{
    Statement statement = database.prepare("SELECT 1 FROM runs WHERE run_id = ?");
    statement.bind_all(run_id);
    return exists(std::move(statement));
}

bool executes_here(Sqlite &database, std::string_view run_id, std::string_view phase_id)
{
    Statement statement =
        database.prepare("SELECT 1 FROM phases WHERE phase_id = ? AND run_id = ?"
                         " AND status IN ('EXECUTING', 'GATE', 'CI_RUNNING')");
    statement.bind_all(phase_id, run_id);
    return exists(std::move(statement));
}

bool executes_elsewhere(Sqlite &database, std::string_view run_id,
                        std::string_view phase_id)
{
    Statement statement =
        database.prepare("SELECT 1 FROM phases WHERE phase_id = ? AND run_id <> ?"
                         " AND status IN ('EXECUTING', 'GATE', 'CI_RUNNING')");
    statement.bind_all(phase_id, run_id);
    return exists(std::move(statement));
}

bool waits_here(Sqlite &database, std::string_view run_id, std::string_view phase_id)
{
    Statement statement = database.prepare(
        "SELECT 1 FROM phases WHERE run_id = ? AND phase_id = ? AND status = 'QUEUED'");
    statement.bind_all(run_id, phase_id);
    return exists(std::move(statement));
}

bool waits_anywhere(Sqlite &database, std::string_view phase_id)
{
    Statement statement =
        database.prepare("SELECT 1 FROM runs JOIN phases USING (run_id)"
                         " WHERE runs.status NOT GLOB 'DONE_*' AND phases.phase_id = ?"
                         " AND phases.status = 'QUEUED'");
    statement.bind_all(phase_id);
    return exists(std::move(statement));
}

ControlLine read_bare_phase(Sqlite &database, std::string_view run_id,
                            std::string_view phase_id)
{
    const bool elsewhere = executes_elsewhere(database, run_id, phase_id);
    if (executes_here(database, run_id, phase_id) ||
        (!elsewhere && waits_here(database, run_id, phase_id))) {
        return {Kind::Ours, std::string(phase_id), {}};
    }
    if (elsewhere || waits_anywhere(database, phase_id)) {
        return {Kind::Foreign, {}, {}};
    }
    return nonsense("no phase '" + std::string(phase_id) + "' is executing or queued");
}

ControlLine read_run(Sqlite &database, std::string_view run_id,
                     std::string_view addressed, std::string_view phase_id)
{
    if (addressed == run_id) {
        return {Kind::Ours, std::string(phase_id), {}};
    }
    if (run_exists(database, addressed)) {
        return {Kind::Foreign, {}, {}};
    }
    return nonsense("no run '" + std::string(addressed) + "'");
}

} // namespace

ControlLine read_control_line(Sqlite &database, std::string_view run_id,
                              const ControlFile &file, std::string_view line)
{
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '#') {
        return {};
    }
    ControlLine malformed = nonsense("expected " + std::string(file.expects));
    const size_t colon = text.find(':');
    if (colon == text.npos ||
        trim(text.substr(0, colon)) != control_verb_name(file.verb)) {
        return malformed;
    }
    const std::string_view operand = trim(text.substr(colon + 1));
    if (file.verb != ControlVerb::Timeout) {
        return is_identifier(operand) ? read_run(database, run_id, operand, {})
                                      : malformed;
    }
    const size_t slash = operand.find('/');
    const std::string_view phase_id =
        slash == operand.npos ? operand : operand.substr(slash + 1);
    if (!is_identifier(phase_id)) {
        return malformed;
    }
    if (slash == operand.npos) {
        return read_bare_phase(database, run_id, phase_id);
    }
    const std::string_view addressed = operand.substr(0, slash);
    return is_identifier(addressed) ? read_run(database, run_id, addressed, phase_id)
                                    : malformed;
}

} // namespace ap
