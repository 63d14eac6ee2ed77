#include "domain/restore_merge.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/backup_scan.hh"
#include "domain/integrity.hh"
#include "domain/restore_staging.hh"
#include "domain/restore_swap.hh"
#include "domain/schema.hh"
#include "sys/file_lock.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdio>
#include <map>

namespace ap {

namespace {

// A table of which each row belongs to a run.
struct RunTable
{
    std::string name;
    std::vector<std::string> columns;
    std::map<std::string, std::string>
        moved; ///< column -> the table whose numbers it holds
};

std::string quoted(std::string_view name)
{
    return "\"" + std::string(name) + "\"";
}

bool has_column(Sqlite &database, const std::string &table, std::string_view column)
{
    return database.prepare("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2")
        .bind_all(table, column)
        .step();
}

// A table's own number, if it has a single integer key: it must move.
std::string number_column(Sqlite &database, const std::string &table)
{
    Statement keys = database.prepare("SELECT name, type FROM pragma_table_info(?1) "
                                      "WHERE pk > 0");
    keys.bind_all(table);
    std::string name;
    int count = 0;
    while (keys.step()) {
        name = keys.text(1) == "INTEGER" ? std::string(keys.text(0)) : std::string();
        count++;
    }
    return count == 1 ? name : std::string();
}

RunTable describe(Sqlite &database, const std::string &name)
{
    RunTable table{name, {}, {}};
    Statement columns = database.prepare("SELECT name FROM pragma_table_info(?1)");
    columns.bind_all(name);
    while (columns.step()) {
        table.columns.emplace_back(columns.text(0));
    }
    if (const std::string own = number_column(database, name); !own.empty()) {
        table.moved[own] = name;
    }
    Statement keys = database.prepare("SELECT \"from\", \"table\" FROM "
                                      "pragma_foreign_key_list(?1)");
    keys.bind_all(name);
    while (keys.step()) {
        const std::string parent(keys.text(1));
        if (!number_column(database, parent).empty()) {
            table.moved[std::string(keys.text(0))] = parent;
        }
    }
    if (has_column(database, name, "reservation_id") && name != "budget_reservations") {
        table.moved["reservation_id"] = "budget_reservations";
    }
    return table;
}

// All tables with a run_id, runs first; the order of the others is of no matter, as
// foreign keys are looked at when all is there.
std::vector<RunTable> run_tables(Sqlite &database)
{
    std::vector<RunTable> tables;
    Statement names = database.prepare(
        "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c "
        "WHERE t.type = 'table' AND c.name = 'run_id' ORDER BY t.name <> 'runs', t.name");
    while (names.step()) {
        tables.push_back(describe(database, std::string(names.text(0))));
    }
    return tables;
}

// How far the numbers of a table must move to lie behind all that were ever used.
int64_t shift_of(Sqlite &database, const std::string &table)
{
    const std::string column = number_column(database, table);
    const int64_t largest = database.query_integer(
        "SELECT coalesce(max(" + quoted(column) + "), 0) FROM main." + quoted(table));
    const bool counted = database
                             .prepare("SELECT 1 FROM main.sqlite_schema WHERE name = ?1 "
                                      "AND sql LIKE '%AUTOINCREMENT%'")
                             .bind_all(table)
                             .step();
    if (!counted) {
        return largest;
    }
    Statement sequence =
        database.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?1");
    sequence.bind_all(table);
    return sequence.step() ? std::max(largest, sequence.integer(0)) : largest;
}

using Shifts = std::map<std::string, int64_t>;

// Taken before any row is copied: a table and those that refer to it must agree.
Shifts all_shifts(Sqlite &database, const std::vector<RunTable> &tables)
{
    Shifts shifts;
    for (const RunTable &table : tables) {
        for (const auto &[column, of] : table.moved) {
            shifts.try_emplace(of, shift_of(database, of));
        }
    }
    return shifts;
}

void copy_rows(Sqlite &database, const RunTable &table, const Shifts &shifts)
{
    std::string names;
    std::string values;
    for (const std::string &column : table.columns) {
        names += (names.empty() ? "" : ", ") + quoted(column);
        const auto moved = table.moved.find(column);
        values += (values.empty() ? "" : ", ") + quoted(column);
        if (moved != table.moved.end()) {
            values += " + " + std::to_string(shifts.at(moved->second));
        }
    }
    database.execute("INSERT INTO main." + quoted(table.name) + " (" + names +
                     ") SELECT " + values + " FROM merged." + quoted(table.name) +
                     " WHERE run_id IN (SELECT run_id FROM temp.new_runs)");
}

// Rows come with their totals and events; triggers would count them again. They are back
// when the transaction ends, however it does.
std::vector<std::string> drop_triggers(Sqlite &database)
{
    std::vector<std::string> names;
    std::vector<std::string> definitions;
    {
        Statement triggers = database.prepare("SELECT name, sql FROM main.sqlite_schema "
                                              "WHERE type = 'trigger' ORDER BY rowid");
        while (triggers.step()) {
            names.emplace_back(triggers.text(0));
            definitions.emplace_back(triggers.text(1));
        }
    }
    for (const std::string &name : names) {
        database.execute("DROP TRIGGER main." + quoted(name));
    }
    return definitions;
}

void copy_all(Sqlite &database)
{
    const std::vector<RunTable> tables = run_tables(database);
    const std::vector<std::string> triggers = drop_triggers(database);
    const Shifts shifts = all_shifts(database, tables);
    for (const RunTable &table : tables) {
        copy_rows(database, table, shifts);
    }
    for (const std::string &trigger : triggers) {
        database.execute(trigger);
    }
}

class Staged
{
public:
    explicit Staged(std::string path)
        : path_(std::move(path))
    {
        remove_tree(path_);
        make_directories(path_, 0700);
    }
    ~Staged()
    {
        try {
            remove_tree(path_);
        } catch (const Error &) {
            path_.clear(); // the next merge removes it
        }
    }
    Staged(const Staged &) = delete;
    Staged &operator=(const Staged &) = delete;

    std::string file(std::string_view name) const { return join_path(path_, name); }

private:
    std::string path_;
};

void bring_up_to_date(const StatePaths &staged)
{
    {
        Sqlite database(staged.database, OpenMode::ReadWrite);
        if (schema_version(database) == 0 ||
            database.query_text("PRAGMA integrity_check") != "ok") {
            throw Error(ExitStatus::BadData, "the database in the backup is damaged");
        }
        static_cast<void>(migrate(database, migrations()));
    }
    State state(staged, State::Access::Write, "ap-restore");
    static_cast<void>(forget_dead_processes(state));
}

void sort_runs(Sqlite &database, MergeResult &result)
{
    database.execute("CREATE TEMP TABLE new_runs AS SELECT run_id FROM merged.runs "
                     "WHERE run_id NOT IN (SELECT run_id FROM main.runs)");
    Statement rows = database.prepare(
        "SELECT run_id, run_id IN (SELECT run_id FROM temp.new_runs) FROM merged.runs "
        "ORDER BY created_at, run_id");
    while (rows.step()) {
        (rows.integer(1) != 0 ? result.added : result.present).emplace_back(rows.text(0));
    }
}

void place_directory(const std::string &staged, const std::string &live)
{
    if (!path_exists(staged)) {
        return;
    }
    remove_tree(live); // of no run: a merge that was killed has left it
    if (rename(staged.c_str(), live.c_str()) != 0) {
        throw_errno("cannot move '" + staged + "' to '" + live + "'");
    }
}

} // namespace

MergeResult merge_backup(const RestoreSource &source, const StatePaths &paths,
                         const Progress &progress)
{
    source.verify(progress);
    const FileLock lock(paths.directory, "'" + paths.directory + "'");
    finish_swap(paths);
    make_directories(paths.runs, 0700);
    const Staged staged(join_path(paths.runs, ".autopack-merge-staging"));
    const StatePaths staged_paths{staged.file(database_name), staged.file(runs_name),
                                  parent_path(staged.file(database_name))};
    const std::string below_runs = std::string(runs_name) + "/";
    StagedFiles(source, [&](const BackupEntry &entry) {
        const bool wanted =
            entry.path == database_name || entry.path.starts_with(below_runs);
        return wanted ? staged.file(entry.path) : std::string();
    }).write(progress);
    bring_up_to_date(staged_paths);
    sync_file_system(paths.runs);

    State state(paths, State::Access::Write, "ap-restore");
    Sqlite &database = state.database();
    database.prepare("ATTACH ?1 AS merged").bind_all(staged_paths.database).run();
    database.execute("PRAGMA foreign_keys = OFF");
    MergeResult result;
    {
        Transaction transaction(database);
        sort_runs(database, result);
        copy_all(database);
        if (database.prepare("PRAGMA main.foreign_key_check").step()) {
            throw Error(ExitStatus::BadData,
                        "the backup's rows refer to rows that do not exist");
        }
        for (const std::string &run : result.added) {
            place_directory(staged.file(below_runs + run), paths.run_directory(run));
        }
        sync_directory(paths.runs);
        transaction.commit();
    }
    database.execute("DETACH merged");
    return result;
}

} // namespace ap
