#include "wrap/sqlite.hh"

#include <algorithm>
#include <map>
#include <new>
#include <random>
#include <sqlite3.h>
#include <thread>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;

ExitStatus status_of_code(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ExitStatus::TryAgain;
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return ExitStatus::InputOutput;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ExitStatus::NoPermission;
    case SQLITE_CANTOPEN:
        return ExitStatus::NoInput;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
        return ExitStatus::BadData;
    default:
        return ExitStatus::Bug;
    }
}

[[noreturn]] void fail(sqlite3 *handle, const std::string &what)
{
    throw SqliteError(what, sqlite3_errmsg(handle), sqlite3_extended_errcode(handle));
}

// SQLite's own busy_timeout sleeps up to 100 ms between tries, which starves writers
// whose transactions last a fraction of a millisecond. Waiting a random 0.1 to 1 ms
// instead keeps several executors on one file as fast as one.
int wait_for_writer(void *longest_wait, int tries) noexcept
{
    static thread_local std::minstd_rand random(std::random_device{}());
    static thread_local std::chrono::steady_clock::time_point started;
    const auto now = std::chrono::steady_clock::now();
    if (tries == 0) {
        started = now;
    }
    if (now - started > *static_cast<const std::chrono::milliseconds *>(longest_wait)) {
        return 0;
    }
    const int ceiling = std::min(1000, 200 + tries * 50);
    std::uniform_int_distribution<int> pause(100, ceiling);
    std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
    return 1;
}

} // namespace

SqliteError::SqliteError(const std::string &what, const std::string &message, int code)
    : Error(status_of_code(code), what + ": " + message)
    , code_(code)
{
}

bool SqliteError::is_constraint() const noexcept
{
    return (code_ & 0xff) == SQLITE_CONSTRAINT;
}

bool SqliteError::is_read_only() const noexcept
{
    return (code_ & 0xff) == SQLITE_READONLY;
}

bool SqliteError::is_corrupt() const noexcept
{
    return (code_ & 0xff) == SQLITE_CORRUPT || (code_ & 0xff) == SQLITE_NOTADB;
}

// Statements by their text, null while in use: a place is kept for it, as what is used
// once is used again. At most one of each text is kept, and few texts altogether: the
// suite has some two hundred.
class StatementCache
{
public:
    StatementCache() = default;
    ~StatementCache()
    {
        for (const auto &entry : idle_) {
            static_cast<void>(sqlite3_finalize(entry.second));
        }
    }
    StatementCache(const StatementCache &) = delete;
    StatementCache &operator=(const StatementCache &) = delete;

    sqlite3_stmt *take(std::string_view sql)
    {
        const auto found = idle_.find(sql);
        return found == idle_.end() ? nullptr : std::exchange(found->second, nullptr);
    }

    void give_back(sqlite3_stmt *statement) noexcept
    {
        static_cast<void>(sqlite3_reset(statement));
        static_cast<void>(sqlite3_clear_bindings(statement));
        if (!keeps(statement)) {
            static_cast<void>(sqlite3_finalize(statement));
        }
    }

private:
    static constexpr size_t most_idle = 256;
    std::map<std::string, sqlite3_stmt *, std::less<>> idle_;

    bool keeps(sqlite3_stmt *statement) noexcept
    {
        const std::string_view sql = sqlite3_sql(statement);
        if (const auto found = idle_.find(sql); found != idle_.end()) {
            const bool vacant = found->second == nullptr;
            found->second = vacant ? statement : found->second;
            return vacant;
        }
        try {
            return idle_.size() < most_idle && idle_.emplace(sql, statement).second;
        } catch (const std::bad_alloc &) {
            return false; // not kept, then
        }
    }
};

void Statement::Recycle::operator()(sqlite3_stmt *statement) const noexcept
{
    cache->give_back(statement);
}

Statement &Statement::bind(int index, std::string_view value)
{
    // A null pointer would bind NULL, which an empty string is not.
    const char *data = value.data() == nullptr ? "" : value.data();
    if (sqlite3_bind_text64(statement_.get(), index, data, value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8) != SQLITE_OK) {
        fail(sqlite3_db_handle(statement_.get()), "cannot bind a text parameter");
    }
    return *this;
}

Statement &Statement::bind(int index, int64_t value)
{
    if (sqlite3_bind_int64(statement_.get(), index, value) != SQLITE_OK) {
        fail(sqlite3_db_handle(statement_.get()), "cannot bind a number");
    }
    return *this;
}

Statement &Statement::bind(int index, std::nullptr_t)
{
    if (sqlite3_bind_null(statement_.get(), index) != SQLITE_OK) {
        fail(sqlite3_db_handle(statement_.get()), "cannot bind NULL");
    }
    return *this;
}

bool Statement::step()
{
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    sqlite3 *handle = sqlite3_db_handle(statement_.get());
    const char *name = sqlite3_db_filename(handle, "main");
    const SqliteError error("database '" + std::string(name == nullptr ? "" : name) + "'",
                            sqlite3_errmsg(handle), sqlite3_extended_errcode(handle));
    reset();
    throw error;
}

void Statement::run()
{
    while (step()) {
    }
}

void Statement::reset() noexcept
{
    static_cast<void>(sqlite3_reset(statement_.get()));
}

std::string_view Statement::text(int column) const
{
    const void *data = sqlite3_column_text(statement_.get(), column);
    if (data == nullptr) {
        return {};
    }
    return {static_cast<const char *>(data),
            static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::integer(int column) const
{
    return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const
{
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::optional<int64_t> Statement::optional_integer(int column) const
{
    return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::optional<std::string> Statement::optional_text(int column) const
{
    return is_null(column) ? std::nullopt : std::optional(std::string(text(column)));
}

int Statement::column_count() const noexcept
{
    return sqlite3_column_count(statement_.get());
}

std::string_view Statement::column_name(int column) const
{
    return sqlite3_column_name(statement_.get(), column);
}

void Sqlite::Close::operator()(sqlite3 *handle) const noexcept
{
    static_cast<void>(sqlite3_close_v2(handle));
}

namespace {

// Nobody asks SQLite how much memory it holds; not counting it at each allocation, under
// one lock for all threads, takes 8 % off the recording of a call.
void count_no_memory()
{
    [[maybe_unused]] static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

} // namespace

Sqlite::Sqlite(const std::string &path, OpenMode mode,
               std::chrono::milliseconds longest_wait)
    : path_(path)
    , longest_wait_(std::make_unique<std::chrono::milliseconds>(longest_wait))
    , statements_(std::make_shared<StatementCache>())
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
    case OpenMode::ReadOnly:
        flags |= SQLITE_OPEN_READONLY;
        break;
    case OpenMode::ReadWrite:
        flags |= SQLITE_OPEN_READWRITE;
        break;
    case OpenMode::Create:
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        break;
    }
    count_no_memory();
    sqlite3 *handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) {
        throw SqliteError("cannot open database '" + path + "'", sqlite3_errstr(code),
                          code);
    }
    if (sqlite3_busy_handler(handle, wait_for_writer, longest_wait_.get()) != SQLITE_OK) {
        fail(handle, "cannot set the busy handler of '" + path + "'");
    }
}

Statement Sqlite::prepare(std::string_view sql)
{
    sqlite3_stmt *statement = statements_->take(sql);
    if (statement == nullptr &&
        sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
        fail(handle_.get(), "database '" + path_ + "'");
    }
    return Statement(Statement::Handle(statement, {statements_}));
}

void Sqlite::execute(const std::string &sql)
{
    if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) !=
        SQLITE_OK) {
        fail(handle_.get(), "database '" + path_ + "'");
    }
}

int64_t Sqlite::query_integer(std::string_view sql)
{
    Statement statement = prepare(sql);
    return statement.step() ? statement.integer(0) : 0;
}

std::string Sqlite::query_text(std::string_view sql)
{
    Statement statement = prepare(sql);
    return statement.step() ? std::string(statement.text(0)) : std::string();
}

int64_t Sqlite::changes() const noexcept
{
    return sqlite3_changes64(handle_.get());
}

int64_t Sqlite::last_insert_id() const noexcept
{
    return sqlite3_last_insert_rowid(handle_.get());
}

bool Sqlite::in_transaction() const noexcept
{
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

void Sqlite::copy_to(const std::string &path)
{
    Sqlite target(path, OpenMode::Create);
    sqlite3_backup *backup =
        sqlite3_backup_init(target.handle_.get(), "main", handle_.get(), "main");
    if (backup == nullptr) {
        fail(target.handle_.get(), "cannot copy '" + path_ + "' to '" + path + "'");
    }
    static_cast<void>(sqlite3_backup_step(backup, -1));
    if (sqlite3_backup_finish(backup) != SQLITE_OK) {
        fail(target.handle_.get(), "cannot copy '" + path_ + "' to '" + path + "'");
    }
    // The copy is one file without a log beside it, so that it can be moved by name.
    target.execute("PRAGMA journal_mode = DELETE");
}

Transaction::Transaction(Sqlite &database)
    : database_(database)
{
    database.prepare("BEGIN IMMEDIATE").run();
}

Transaction::~Transaction()
{
    if (!open_ || !database_.in_transaction()) {
        return;
    }
    try {
        database_.execute("ROLLBACK");
    } catch (const Error &) {
        // SQLite has rolled back by itself (disk full, I/O error); nothing is left to do.
        open_ = false;
    }
}

void Transaction::commit()
{
    database_.prepare("COMMIT").run();
    open_ = false;
}

std::string loaded_sqlite_version()
{
    return sqlite3_libversion();
}

} // namespace ap
