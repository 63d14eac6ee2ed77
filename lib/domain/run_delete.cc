#include "domain/run.hh"

#include "sys/directory.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <cerrno>
#include <cstdio>

namespace ap {

namespace {

// Directories of this name hold files of runs whose deletion is committed.
constexpr std::string_view discarded_prefix = ".deleted-";

// Whether `run_id` is a run that was deleted and not made again: then its directory, if
// there is one, is what a crash has left. Directories of no run that was ever known are
// not ours to touch.
bool is_deleted(Sqlite &database, std::string_view run_id)
{
    Statement query = database.prepare(
        "SELECT 1 FROM events WHERE run_id = ?1 AND kind = 'run.deleted' AND NOT EXISTS "
        "(SELECT 1 FROM runs WHERE run_id = ?1) ORDER BY event_id DESC LIMIT 1");
    query.bind_all(run_id);
    return query.step();
}

// Renames a deleted run's directory out of the way of a new run of that name. Call with
// the write lock held, so that no such run can come meanwhile.
void set_aside(const StatePaths &paths, std::string_view run_id)
{
    const std::string target = join_path(paths.runs, std::string(discarded_prefix) +
                                                         random_token().substr(0, 16));
    const std::string directory = paths.run_directory(run_id);
    if (rename(directory.c_str(), target.c_str()) != 0 && errno != ENOENT) {
        throw_errno("cannot rename '" + directory + "' to '" + target + "'");
    }
}

void set_aside_if_deleted(Sqlite &database, const StatePaths &paths,
                          std::string_view run_id)
{
    Transaction transaction(database);
    if (is_deleted(database, run_id)) {
        set_aside(paths, run_id);
    }
    transaction.commit();
}

int64_t remove_discarded(const StatePaths &paths)
{
    int64_t removed = 0;
    for (const std::string &name : names_in(paths.runs)) {
        if (name.starts_with(discarded_prefix)) {
            remove_tree(join_path(paths.runs, name));
            removed++;
        }
    }
    return removed;
}

} // namespace

void create_run(State &state, const Plan &plan, std::string_view text,
                const TokenCaps &caps, const Clock &clock)
{
    Sqlite &database = state.database();
    Transaction transaction(database);
    const bool left = is_deleted(database, plan.run_id);
    if (left) {
        set_aside(state.paths(), plan.run_id);
    }
    create_run(database, plan, text, caps, clock);
    transaction.commit();
    if (left) {
        remove_discarded(state.paths());
    }
}

void delete_run(State &state, std::string_view run_id)
{
    Sqlite &database = state.database();
    Transaction transaction(database);
    const RunSummary run = show_run(database, run_id);
    if (has_live_executor(database, run_id)) {
        throw Error(ExitStatus::TryAgain, "run '" + run.run_id +
                                              "' is being executed; stop it first or "
                                              "wait for its end");
    }
    database.prepare("DELETE FROM runs WHERE run_id = ?").bind_all(run_id).run();
    transaction.commit();
    // After the commit: a crash here leaves files of no run, which are found again, and
    // never a run without its files.
    set_aside_if_deleted(database, state.paths(), run_id);
    remove_discarded(state.paths());
}

int64_t remove_files_of_deleted_runs(State &state)
{
    Sqlite &database = state.database();
    for (const std::string &name : names_in(state.paths().runs)) {
        if (!name.starts_with('.') && is_deleted(database, name)) {
            set_aside_if_deleted(database, state.paths(), name);
        }
    }
    return remove_discarded(state.paths());
}

} // namespace ap
