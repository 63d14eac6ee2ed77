#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/database_info.hh"
#include "domain/integrity.hh"
#include "domain/run.hh"
#include "domain/schema.hh"
#include "domain/state.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <sys/stat.h>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
    {0, "json", "", "print JSON"},
    {'v', "verbose", "", "say what was done"},
};

constexpr ap::Verb verbs[] = {
    {"init", "", "make the database, or bring it up to date", 0, 0},
    {"version", "", "print the schema versions of file and program", 0, 0},
    {"migrate", "", "bring the schema up to date, after a snapshot", 0, 0},
    {"check", "", "verify integrity and the suite's own invariants", 0, 0},
    {"stats", "", "print sizes and row counts", 0, 0},
    {"cleanup", "", "forget dead processes and take up their work", 0, 0},
};

constexpr ap::ToolSpec spec = {.name = "ap-db",
                               .summary = "manage the state database",
                               .options = options,
                               .verbs = verbs};

int newest_version()
{
    return ap::migrations().back().version;
}

ExitStatus version(const ap::Arguments &arguments, const ap::StatePaths &paths)
{
    ap::Sqlite database = ap::open_database(paths, ap::State::Access::Read);
    const int file = ap::schema_version(database);
    if (arguments.has("json")) {
        ap::Json json = ap::Json::object();
        json.set("database", paths.database)
            .set("schema_version", file)
            .set("program_schema_version", newest_version());
        ap::print(json.dump() + "\n");
    } else {
        ap::print("schema " + std::to_string(file) + ", program " +
                  std::to_string(newest_version()) + "\n");
    }
    return ExitStatus::Done;
}

ExitStatus migrate(const ap::Arguments &arguments, const ap::StatePaths &paths)
{
    ap::Sqlite database = ap::open_database(paths, ap::State::Access::Write);
    const ap::MigrationResult result = ap::migrate(database, ap::migrations());
    if (arguments.has("json")) {
        ap::Json json = ap::Json::object();
        json.set("from", result.from)
            .set("to", result.to)
            .set("snapshot",
                 result.snapshot.empty() ? std::nullopt : std::optional(result.snapshot));
        ap::print(json.dump() + "\n");
    } else if (!result.snapshot.empty()) {
        ap::print("schema " + std::to_string(result.from) + " -> " +
                  std::to_string(result.to) + ", the old one is in '" + result.snapshot +
                  "'\n");
    }
    return ExitStatus::Done;
}

ExitStatus init(const ap::Arguments &arguments, const ap::StatePaths &paths)
{
    // Control files may be written before the first executor makes this directory.
    ap::make_directories(paths.runs, 0700);
    if (arguments.has("json")) {
        ap::Json json = ap::Json::object();
        json.set("database", paths.database).set("runs_directory", paths.runs);
        ap::print(json.dump() + "\n");
    }
    return ExitStatus::Done;
}

ExitStatus check(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const std::vector<ap::Finding> findings = ap::check_integrity(database);
    ap::note_check(database, static_cast<int64_t>(findings.size()), ap::SystemClock());
    for (const ap::Finding &finding : findings) {
        if (arguments.has("json")) {
            ap::Json json = ap::Json::object();
            json.set("rule", finding.rule).set("detail", finding.detail);
            ap::print(json.dump() + "\n");
        } else {
            ap::print(finding.rule + ": " + finding.detail + "\n");
        }
    }
    return findings.empty() ? ExitStatus::Done : ExitStatus::Failed;
}

int64_t file_size(const std::string &path)
{
    struct stat status = {};
    return stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

ExitStatus stats(const ap::Arguments &arguments, ap::State &state)
{
    const std::string &path = state.paths().database;
    ap::Json rows = ap::Json::object();
    ap::Table table({"TABLE", "ROWS"});
    ap::Statement names =
        state.database().prepare("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                 "AND name NOT LIKE 'sqlite_%' ORDER BY name");
    while (names.step()) {
        const std::string name(names.text(0));
        const int64_t count =
            state.database().query_integer("SELECT count(*) FROM \"" + name + "\"");
        rows.set(name, count);
        table.add({name, std::to_string(count)});
    }
    if (!arguments.has("json")) {
        ap::print(table.text() + "\nfile " + std::to_string(file_size(path)) +
                  " bytes, log " + std::to_string(file_size(path + "-wal")) + " bytes\n");
        return ExitStatus::Done;
    }
    ap::Json json = ap::Json::object();
    json.set("database", path)
        .set("bytes", file_size(path))
        .set("wal_bytes", file_size(path + "-wal"))
        .set("rows", rows);
    ap::print(json.dump() + "\n");
    return ExitStatus::Done;
}

ExitStatus cleanup(const ap::Arguments &arguments, ap::State &state)
{
    const ap::CleanupResult result = ap::forget_dead_processes(state);
    const int64_t directories = ap::remove_files_of_deleted_runs(state);
    if (arguments.has("json")) {
        ap::Json json = ap::Json::object();
        json.set("connections", result.connections)
            .set("executors", result.executors)
            .set("attempts", result.attempts)
            .set("gateways", result.gateways)
            .set("calls", result.calls)
            .set("directories", directories);
        ap::print(json.dump() + "\n");
    } else if (arguments.has("verbose")) {
        ap::print("forgot " + std::to_string(result.connections) + " connections and " +
                  std::to_string(result.executors) + " executors, took up " +
                  std::to_string(result.attempts) + " attempts\n");
        if (result.gateways > 0 || result.calls > 0) {
            ap::print("closed the books of " + std::to_string(result.gateways) +
                      " gateways, recorded " + std::to_string(result.calls) + " calls\n");
        }
        if (directories > 0) {
            ap::print("removed the files of " + std::to_string(directories) +
                      " deleted runs\n");
        }
    }
    return ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const ap::StatePaths paths = ap::state_paths(arguments.value("db"));
    const std::string_view verb = arguments.verb();
    if (verb == "version") {
        return version(arguments, paths);
    }
    if (verb == "migrate") {
        return migrate(arguments, paths);
    }
    using Access = ap::State::Access;
    const Access access = verb == "init"      ? Access::Create
                          : verb == "cleanup" ? Access::Write
                                              : Access::Read;
    ap::State state(paths, access, spec.name);
    if (verb == "check") {
        return check(arguments, state.database());
    }
    if (verb == "stats") {
        return stats(arguments, state);
    }
    return verb == "cleanup" ? cleanup(arguments, state) : init(arguments, paths);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
