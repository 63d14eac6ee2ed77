#include "domain/run.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

/// One table of an export.
struct ExportedTable
{
    std::string_view member; ///< of the exported object
    std::string_view table;
    std::string_view order;
};

constexpr ExportedTable exported_tables[] = {
    {"tiers", "tiers", "ordinal"},
    {"phases", "phases", "ordinal"},
    {"phase_dependencies", "phase_dependencies", "phase_id, needs_phase_id"},
    {"executors", "executors", "executor_id"},
    {"attempts", "attempts", "attempt_id"},
    {"budgets", "budgets", "phase_id"},
    {"reservations", "budget_reservations", "reservation_id"},
    {"usage", "llm_usage_events", "usage_id"},
    {"controls", "controls", "control_id"},
    {"approvals", "approvals", "approval_id"},
    {"builds", "builds", "phase_id, number"},
    {"events", "events", "event_id"},
};

// Columns that hold JSON as text and are exported as what they mean.
constexpr auto json_columns = std::to_array<std::string_view>({"spec", "detail"});

// A lease is the right to act for an attempt, nothing to hand around; the plan is a
// member of its own.
constexpr auto omitted_columns = std::to_array<std::string_view>({"lease", "plan"});

struct Column
{
    std::string name;
    bool is_integer = false;
    bool is_json = false;
};

template <size_t Count>
bool contains(const std::array<std::string_view, Count> &names, std::string_view name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Column> columns_of(Sqlite &database, std::string_view table)
{
    Statement rows =
        database.prepare("SELECT name, type FROM pragma_table_info(?) ORDER BY cid");
    rows.bind(1, table);
    std::vector<Column> columns;
    while (rows.step()) {
        if (!contains(omitted_columns, rows.text(0))) {
            columns.push_back({std::string(rows.text(0)), rows.text(1) == "INTEGER",
                               contains(json_columns, rows.text(0))});
        }
    }
    return columns;
}

Json cell(const Statement &row, int index, const Column &column)
{
    if (row.is_null(index)) {
        return Json::null();
    }
    if (column.is_integer) {
        return Json::integer(row.integer(index));
    }
    if (column.is_json) {
        if (auto value = Json::try_parse(row.text(index))) {
            return std::move(*value);
        }
    }
    return Json::string(row.text(index));
}

// The rows of `table` that belong to the run; names come from constants and the schema.
Json rows_of(Sqlite &database, std::string_view table, std::string_view order,
             std::string_view run_id)
{
    const std::vector<Column> columns = columns_of(database, table);
    std::string sql = "SELECT ";
    for (const Column &column : columns) {
        sql += (&column == &columns.front() ? "" : ", ") + column.name;
    }
    sql += " FROM " + std::string(table) + " WHERE run_id = ? ORDER BY ";
    Statement row = database.prepare(sql + std::string(order));
    row.bind(1, run_id);
    Json rows = Json::array();
    while (row.step()) {
        Json object = Json::object();
        for (size_t i = 0; i < columns.size(); i++) {
            object.set(columns[i].name, cell(row, static_cast<int>(i), columns[i]));
        }
        rows.append(std::move(object));
    }
    return rows;
}

// A read transaction, so that all tables are shown as of one moment while others write.
class Snapshot
{
public:
    explicit Snapshot(Sqlite &database)
        : database_(database)
    {
        database.execute("BEGIN");
    }
    ~Snapshot()
    {
        try {
            database_.execute("ROLLBACK");
        } catch (const Error &) {
            // SQLite has ended it by itself; there is nothing to undo.
            return;
        }
    }
    Snapshot(const Snapshot &) = delete;
    Snapshot &operator=(const Snapshot &) = delete;

private:
    Sqlite &database_;
};

} // namespace

Json export_run(Sqlite &database, std::string_view run_id)
{
    const Snapshot snapshot(database);
    static_cast<void>(show_run(database, run_id));
    Statement plan = database.prepare("SELECT plan FROM runs WHERE run_id = ?");
    plan.bind(1, run_id).step();
    Json exported = Json::object();
    exported.set("run", rows_of(database, "runs", "run_id", run_id).at(0))
        .set("plan", Json::parse(plan.text(0), "stored plan"));
    for (const ExportedTable &table : exported_tables) {
        exported.set(table.member, rows_of(database, table.table, table.order, run_id));
    }
    return exported;
}

} // namespace ap
