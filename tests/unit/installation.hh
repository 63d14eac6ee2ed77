#pragma once

#include "support.hh"

#include "domain/state.hh"
#include "sys/path.hh"
#include "wrap/sqlite.hh"

#include <string>
#include <string_view>

namespace check {

/// A state directory with a database, documents, configuration and run files.
class Installation
{
public:
    explicit Installation(std::string_view name)
    {
        const std::string base = directory_.file(name);
        paths_ = {base + "/autopack.db", base + "/.autonomous_runs", base};
        ap::make_directories(base);
        const ap::State state(paths_, ap::State::Access::Create, "test");
        write("docs/BUILD_HISTORY.md", "# History\n");
        write("config/app.json", "{}\n");
    }

    const ap::StatePaths &paths() const { return paths_; }

    /// A path outside of it that goes away with it.
    std::string beside(std::string_view name) const { return directory_.file(name); }

    void write(std::string_view path, std::string_view text) const
    {
        const std::string file = ap::join_path(paths_.directory, path);
        ap::make_directories(ap::parent_path(file));
        ap::write_file_atomically(file, text);
    }

    std::string read(std::string_view path) const
    {
        return ap::read_file(ap::join_path(paths_.directory, path), 1 << 20);
    }

    bool has(std::string_view path) const
    {
        return ap::path_exists(ap::join_path(paths_.directory, path));
    }

    /// Records a run that has ended, with a phase, an attempt, usage, and a file.
    void add_run(const std::string &run, int64_t tokens = 100) const
    {
        ap::Sqlite database(paths_.database, ap::OpenMode::ReadWrite);
        database.execute("PRAGMA foreign_keys = ON");
        const std::string text = "'" + run + "'";
        const std::string count = std::to_string(tokens);
        database.execute(
            "BEGIN; INSERT INTO runs (run_id, phases, plan, created_at) VALUES (" + text +
            ", 1, '{}', 5);"
            "INSERT INTO tiers (run_id, tier_id, ordinal, name) VALUES (" +
            text +
            ", 't', 0, 't');"
            "INSERT INTO phases (run_id, phase_id, tier_id, ordinal, phase_name, type, "
            "spec, created_at, attempts_made) VALUES (" +
            text +
            ", 'p', 't', 0, 'p', 'x', '{}', 5, 1);"
            "INSERT INTO budgets (run_id, phase_id, token_cap) VALUES (" +
            text +
            ", '', 1000);"
            "INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, started_at, "
            "ended_at) VALUES (" +
            text +
            ", 1, 1, 'x', 1, 5, 6);"
            "INSERT INTO attempts (run_id, phase_id, number, executor_id, lease, status, "
            "started_at, ended_at) VALUES (" +
            text + ", 'p', 1, last_insert_rowid(), 'l' || " + text +
            ", 'SUCCEEDED', 5, 6);"
            "INSERT INTO budget_reservations (run_id, status, tokens, pid, created_at) "
            "VALUES (" +
            text +
            ", 'OPEN', 7, 1, 5);"
            "INSERT INTO llm_usage_events (run_id, prompt_tokens, completion_tokens, "
            "source, reservation_id, created_at) VALUES (" +
            text + ", " + count +
            ", 0, 'fifo', last_insert_rowid(), 5);"
            "UPDATE phases SET status = 'COMPLETE' WHERE run_id = " +
            text +
            ";"
            "UPDATE runs SET status = 'DONE_SUCCESS', complete_phases = 1 WHERE run_id "
            "= " +
            text + "; COMMIT");
        write(".autonomous_runs/" + run + "/executor.log", "log of " + run + "\n");
    }

    std::string query(std::string_view sql) const
    {
        return ap::Sqlite(paths_.database, ap::OpenMode::ReadWrite).query_text(sql);
    }

private:
    TemporaryDirectory directory_;
    ap::StatePaths paths_;
};

} // namespace check
