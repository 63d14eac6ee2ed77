#pragma once

#include "base/clock.hh"
#include "domain/state.hh"
#include "wrap/json.hh"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

enum class Severity {
    Note,    ///< nothing to do
    Warning, ///< wants looking at
    Error,   ///< something does not work, or soon will not
};

std::string_view severity_name(Severity severity);

/// One thing that is not as it should be.
struct DoctorFinding
{
    Severity severity = Severity::Note;
    std::string check; ///< database, disk, permissions, phases, connections, ...
    std::string message;
    std::string command; ///< what to type next; empty for a note
};

/// What is looked at, and when it is too much.
struct DoctorOptions
{
    StatePaths paths;
    std::string backups; ///< directory of the backups
    std::chrono::milliseconds oldest_backup{std::chrono::hours(26)};
    std::chrono::milliseconds longest_silence{std::chrono::minutes(30)};
    bool fix = false;
};

struct DoctorReport
{
    std::vector<DoctorFinding> findings; ///< in the order of the checks
    std::vector<std::string> fixed;      ///< what was done about others

    /// Whether none of the findings is an error.
    bool is_healthy() const noexcept;
};

/// Looks at everything: the database as a whole, which takes the longer the longer the
/// history is; disk, permissions, phases under way, connections, breakers, budgets,
/// backups, units, libraries and the ledger. What keeps one check from being made is a
/// finding, too. With `fix` it first does what is safe: takes up what dead processes
/// left, gives back reservations of runs that have ended, takes away permissions of
/// others on the suite's own files, and writes what the ledger still owes.
DoctorReport examine(const DoctorOptions &options, const Clock &clock);

/// "error connections: ...: run 'ap-db cleanup'".
std::string finding_text(const DoctorFinding &finding);

Json report_to_json(const DoctorReport &report);

} // namespace ap
