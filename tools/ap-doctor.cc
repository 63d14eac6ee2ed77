#include "cli/tool.hh"
#include "domain/doctor.hh"
#include "sys/path.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'f', "fix", "", "do what is safe, and say what was done"},
    {'b', "backups", "DIR", "where the backups are (default: backups)"},
    {'a', "backup-age", "TIME", "the newest may be so old (default: 26h)"},
    {'s', "silence", "TIME", "a phase may be silent so long (default: 30m)"},
    {0, "json", "", "print one JSON object"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-doctor",
                               .summary = "check everything, and say what to do about it",
                               .options = options};

ExitStatus look(const ap::Arguments &arguments)
{
    ap::DoctorOptions choice;
    choice.paths = ap::state_paths(arguments.value("db"));
    choice.backups = ap::absolute_path(arguments.value("backups").value_or(
        ap::join_path(choice.paths.directory, "backups")));
    choice.oldest_backup =
        arguments.duration("backup-age").value_or(choice.oldest_backup);
    choice.longest_silence =
        arguments.duration("silence").value_or(choice.longest_silence);
    choice.fix = arguments.has("fix");
    const ap::DoctorReport report = ap::examine(choice, ap::SystemClock());
    if (arguments.has("json")) {
        ap::print(ap::report_to_json(report).dump() + "\n");
    } else {
        for (const std::string &what : report.fixed) {
            ap::print("fixed: " + what + "\n");
        }
        for (const ap::DoctorFinding &finding : report.findings) {
            ap::print(ap::finding_text(finding) + "\n");
        }
    }
    return report.is_healthy() ? ExitStatus::Done : ExitStatus::Failed;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, look);
}
