#pragma once

#include "base/error.hh"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace ap {

/// A failed SQLite call. Exit status: busy or locked 75, full or I/O error 74, read-only
/// or forbidden 77, cannot open 66, corrupt or no database 65, constraint 65, all
/// else 70.
class SqliteError : public Error
{
public:
    SqliteError(const std::string &what, const std::string &message, int code);

    /// The extended result code.
    int code() const noexcept { return code_; }
    bool is_constraint() const noexcept;
    bool is_read_only() const noexcept;
    bool is_corrupt() const noexcept;

private:
    int code_;
};

class StatementCache;

/// A prepared statement. Parameters and columns count from 1 and 0, as in SQLite.
class Statement
{
public:
    Statement &bind(int index, std::string_view value);
    Statement &bind(int index, const char *value)
    {
        return bind(index, std::string_view(value));
    }
    Statement &bind(int index, int64_t value);
    Statement &bind(int index, int value) { return bind(index, int64_t{value}); }
    Statement &bind(int index, std::nullptr_t);
    template <typename Value>
    Statement &bind(int index, const std::optional<Value> &value)
    {
        return value ? bind(index, *value) : bind(index, nullptr);
    }

    /// Binds `values` to the parameters 1, 2, ...
    template <typename... Values>
    Statement &bind_all(const Values &...values)
    {
        int index = 0;
        (bind(++index, values), ...);
        return *this;
    }

    /// Goes to the next row; false when there is none, and the statement is then ready to
    /// be bound and run again.
    bool step();

    /// Runs a statement of which no row is wanted, and makes it ready to run again.
    void run();

    void reset() noexcept;

    /// The column's text, valid until the next step; empty for NULL.
    std::string_view text(int column) const;
    int64_t integer(int column) const;
    bool is_null(int column) const;
    std::optional<int64_t> optional_integer(int column) const;
    std::optional<std::string> optional_text(int column) const;
    int column_count() const noexcept;
    std::string_view column_name(int column) const;

private:
    friend class Sqlite;
    friend class StatementCache;
    struct Recycle
    {
        std::shared_ptr<StatementCache> cache;
        void operator()(sqlite3_stmt *statement) const noexcept;
    };
    using Handle = std::unique_ptr<sqlite3_stmt, Recycle>;
    explicit Statement(Handle owned)
        : statement_(std::move(owned))
    {
    }

    Handle statement_;
};

/// How to open a database file.
enum class OpenMode {
    ReadOnly,
    ReadWrite,
    Create,
};

/// How long a connection waits for another writer unless it is told otherwise.
inline constexpr std::chrono::milliseconds default_writer_wait{10'000};

/// One connection to an SQLite file. Not for use by two threads at once. Waits up to
/// `longest_wait` for another writer, polling every fraction of a millisecond at random,
/// so that many short writers share the file fairly; after that an operation fails with
/// exit status 75.
class Sqlite
{
public:
    Sqlite(const std::string &path, OpenMode mode,
           std::chrono::milliseconds longest_wait = default_writer_wait);

    /// Compiles one statement, or takes one of the same text that was used and let go
    /// before: with its triggers a statement takes longer to compile than to run.
    Statement prepare(std::string_view sql);

    /// Runs one or more statements that return no rows.
    void execute(const std::string &sql);

    /// The first column of the first row of `sql`, as a number; 0 if there is no row.
    int64_t query_integer(std::string_view sql);

    /// The first column of the first row of `sql`, as text; empty if there is no row.
    std::string query_text(std::string_view sql);

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    int64_t changes() const noexcept;

    /// The key of the last inserted row.
    int64_t last_insert_id() const noexcept;

    bool in_transaction() const noexcept;

    /// Copies the whole database as of one moment to a new file at `path` while others go
    /// on writing, and syncs it. `path` is written in place; give it a temporary name.
    void copy_to(const std::string &path);

    const std::string &path() const noexcept { return path_; }

private:
    struct Close
    {
        void operator()(sqlite3 *handle) const noexcept;
    };

    std::string path_;
    std::unique_ptr<std::chrono::milliseconds> longest_wait_; ///< SQLite has its address
    std::unique_ptr<sqlite3, Close> handle_;
    std::shared_ptr<StatementCache> statements_;
};

/// A BEGIN IMMEDIATE transaction: rolled back at the end of its scope unless committed.
class Transaction
{
public:
    explicit Transaction(Sqlite &database);
    ~Transaction();
    Transaction(const Transaction &) = delete;
    Transaction &operator=(const Transaction &) = delete;

    void commit();

private:
    Sqlite &database_;
    bool open_ = true;
};

/// Runs `work` in the caller's transaction if one is open, else in one of its own.
template <typename Work>
void in_transaction(Sqlite &database, const Work &work)
{
    if (database.in_transaction()) {
        work();
        return;
    }
    Transaction transaction(database);
    work();
    transaction.commit();
}

/// The version of SQLite that is loaded.
std::string loaded_sqlite_version();

} // namespace ap
