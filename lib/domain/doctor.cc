#include "domain/doctor.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/alerts.hh"
#include "domain/attempts.hh"
#include "domain/doctor_checks.hh"
#include "domain/health.hh"
#include "domain/integrity.hh"
#include "domain/ledger.hh"
#include "domain/left_reservations.hh"
#include "domain/run.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t most_integrity_findings = 5;

void check_database(DoctorNotes &notes, State &state, const Clock &clock)
{
    const std::vector<Finding> findings = check_integrity(state.database());
    note_check(state.database(), static_cast<int64_t>(findings.size()), clock);
    for (size_t at = 0; at < std::min(findings.size(), most_integrity_findings); at++) {
        notes.add(Severity::Error, "database",
                  findings[at].rule + ": " + printable(findings[at].detail),
                  suite_command(notes.options(), "ap-db check"));
    }
    if (findings.size() > most_integrity_findings) {
        notes.add(Severity::Error, "database",
                  std::to_string(findings.size() - most_integrity_findings) +
                      " more faults",
                  suite_command(notes.options(), "ap-db check"));
    }
    if (database_info(state.database()).identity.size() != 32) {
        notes.add(Severity::Error, "database", "the database has no identity",
                  suite_command(notes.options(), "ap-db check"));
    }
}

// When the attempt last wrote something.
UnixMs last_sign(const StatePaths &paths, const OpenAttempt &attempt)
{
    const std::string directory =
        paths.attempt_directory(attempt.run_id, attempt.phase_id, attempt.number);
    UnixMs last = attempt.started_at;
    for (const std::string &name :
         list_attempt_logs(paths, attempt.run_id, attempt.phase_id, attempt.number)) {
        struct stat status = {};
        if (stat(join_path(directory, name).c_str(), &status) == 0) {
            last = std::max(last, static_cast<UnixMs>(status.st_mtim.tv_sec) * 1000 +
                                      status.st_mtim.tv_nsec / 1'000'000);
        }
    }
    return last;
}

void check_phases(DoctorNotes &notes, State &state, const Clock &clock)
{
    for (const OpenAttempt &attempt : list_open_attempts(state.database())) {
        const std::string name =
            "phase " + attempt.phase_id + " of run " + attempt.run_id;
        if (!is_alive(attempt.executor)) {
            notes.add(Severity::Error, "phases",
                      name + " is EXECUTING and its executor (pid " +
                          std::to_string(attempt.executor.pid) + ") is dead",
                      suite_command(notes.options(), "ap-db cleanup"));
            continue;
        }
        const std::chrono::milliseconds silence(clock.now() -
                                                last_sign(state.paths(), attempt));
        if (silence > notes.options().longest_silence) {
            notes.add(Severity::Warning, "phases",
                      name + " has written nothing for " + format_duration(silence),
                      suite_command(notes.options(), "ap-ctl timeout " + attempt.run_id +
                                                         " " + attempt.phase_id));
        }
    }
}

void check_connections(DoctorNotes &notes, const Health &health)
{
    const std::string cleanup = suite_command(notes.options(), "ap-db cleanup");
    if (!health.pool.is_healthy()) {
        notes.add(Severity::Error, "connections",
                  "80 % or more of the connections are taken", cleanup);
    }
    if (health.pool.potential_leaks > 0) {
        notes.add(Severity::Warning, "connections",
                  std::to_string(health.pool.potential_leaks) +
                      " connections are of processes that died",
                  cleanup);
    }
    for (const ExecutorHealth &executor : health.executors) {
        if (!executor.is_alive) {
            notes.add(
                Severity::Error, "executors",
                "the executor of run " + executor.run_id + " (pid " +
                    std::to_string(executor.pid) + ") is dead",
                suite_command(notes.options(), "ap-exec --run-id " + executor.run_id));
        }
    }
    if (health.gateway.is_configured && !health.gateway.is_running) {
        notes.add(Severity::Warning, "gateway", "the gateway is not running",
                  "systemctl start ap-gate || ap-gate &");
    }
}

void check_alerts(DoctorNotes &notes, State &state, const Health &health)
{
    for (const Alert &alert : current_alerts(state.database(), health)) {
        if (alert.kind == "tokens") {
            notes.add(
                Severity::Warning, "budgets", alert.message,
                suite_command(notes.options(), alert.subject.empty()
                                                   ? "ap-budget show-day"
                                                   : "ap-budget show " + alert.subject));
        } else if (alert.kind == "breaker") {
            notes.add(Severity::Warning, "breakers", alert.message,
                      suite_command(notes.options(), "ap-breaker show " + alert.subject));
        }
    }
    if (const int64_t left = count_left_reservations(state.database()); left > 0) {
        notes.add(Severity::Warning, "budgets",
                  std::to_string(left) + " reservations are open that nobody will settle",
                  suite_command(notes.options(), "ap-doctor --fix"));
    }
}

void check_ledger(DoctorNotes &notes, State &state)
{
    for (const LedgerDocument &document : ledger_documents) {
        if (const auto broken = verify_ledger(state, document)) {
            notes.add(Severity::Error, "ledger", break_text(*broken),
                      suite_command(notes.options(), "ap-ledger tidy"));
        }
    }
}

void fix_state(DoctorNotes &notes, State &state, const Clock &clock)
{
    const auto tell = [&](int64_t count, std::string_view what) {
        if (count > 0) {
            notes.fixed(std::to_string(count) + " " + std::string(what));
        }
    };
    const CleanupResult cleaned = forget_dead_processes(state);
    tell(cleaned.connections, "connections of dead processes removed");
    tell(cleaned.executors, "executors recorded as died");
    tell(cleaned.attempts, "attempts of dead executors ended, their phases queued again");
    tell(cleaned.gateways, "gateways' books closed");
    tell(cleaned.calls, "calls of dead processes recorded");
    tell(remove_files_of_deleted_runs(state), "directories of deleted runs removed");
    tell(release_left_reservations(state.database(), clock),
         "reservations of runs that have ended given back");
    settle_ledger(state);
}

void check_state(DoctorNotes &notes, const Clock &clock)
{
    const auto access = notes.options().fix ? State::Access::Write : State::Access::Read;
    State state(notes.options().paths, access, "ap-doctor");
    if (notes.options().fix) {
        notes.make("fix", [&] { fix_state(notes, state, clock); });
    }
    notes.make("database", [&] { check_database(notes, state, clock); });
    const Health health = read_health(state, {}, clock);
    notes.make("phases", [&] { check_phases(notes, state, clock); });
    notes.make("connections", [&] { check_connections(notes, health); });
    notes.make("budgets", [&] { check_alerts(notes, state, health); });
    notes.make("ledger", [&] { check_ledger(notes, state); });
}

} // namespace

std::string_view severity_name(Severity severity)
{
    switch (severity) {
    case Severity::Note:
        return "note";
    case Severity::Warning:
        return "warning";
    case Severity::Error:
        break;
    }
    return "error";
}

bool DoctorReport::is_healthy() const noexcept
{
    return std::none_of(findings.begin(), findings.end(), [](const auto &finding) {
        return finding.severity == Severity::Error;
    });
}

void DoctorNotes::add(Severity severity, std::string_view check, std::string message,
                      std::string command)
{
    report_.findings.push_back(
        {severity, std::string(check), std::move(message), std::move(command)});
}

void DoctorNotes::make(std::string_view check, const std::function<void()> &work)
{
    try {
        work();
    } catch (const Error &error) {
        // What the message advises in quotes is the next command.
        const std::string message = error.what();
        const size_t at = message.find("run '");
        const size_t end = message.find('\'', at == std::string::npos ? at : at + 5);
        add(Severity::Error, check, message,
            suite_command(options_, end == std::string::npos
                                        ? "ap-db check"
                                        : message.substr(at + 5, end - at - 5)));
    }
}

std::string shell_word(std::string_view word)
{
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                                       "XYZ0123456789_-./:=+,@%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) {
        return std::string(word);
    }
    std::string quoted = "'";
    for (const char letter : word) {
        quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    }
    return quoted + "'";
}

std::string suite_command(const DoctorOptions &options, std::string_view words)
{
    // From where it was asked the tools find the same database, or are told.
    const bool found = state_paths(std::nullopt).database == options.paths.database;
    return std::string(words) +
           (found ? "" : " --db " + shell_word(options.paths.database));
}

DoctorReport examine(const DoctorOptions &options, const Clock &clock)
{
    DoctorNotes notes(options);
    notes.make("permissions", [&] { check_permissions(notes); });
    notes.make("database", [&] { check_state(notes, clock); });
    notes.make("disk", [&] { check_disk(notes); });
    notes.make("backups", [&] { check_backups(notes, clock); });
    notes.make("units", [&] { check_units(notes); });
    notes.make("libraries", [&] { check_libraries(notes); });
    return notes.take();
}

std::string finding_text(const DoctorFinding &finding)
{
    return std::string(severity_name(finding.severity)) + " " + finding.check + ": " +
           finding.message + (finding.command.empty() ? "" : "; run: " + finding.command);
}

Json report_to_json(const DoctorReport &report)
{
    Json findings = Json::array();
    for (const DoctorFinding &finding : report.findings) {
        findings.append(Json::object()
                            .set("severity", severity_name(finding.severity))
                            .set("check", finding.check)
                            .set("message", finding.message)
                            .set("command", finding.command));
    }
    Json fixed = Json::array();
    for (const std::string &what : report.fixed) {
        fixed.append(Json::string(what));
    }
    return Json::object()
        .set("is_healthy", report.is_healthy())
        .set("findings", findings)
        .set("fixed", fixed);
}

} // namespace ap
