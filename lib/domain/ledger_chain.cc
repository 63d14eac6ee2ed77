#include "domain/ledger_chain.hh"

#include "wrap/sha256.hh"

#include <algorithm>
#include <map>

namespace ap {

namespace {

constexpr std::string_view record_columns =
    "SELECT document, entry_id, created_at, coalesce(about_run, ''), "
    "coalesce(about_phase, ''), title, content, hash, is_in_file FROM ledger_entries ";

LedgerRecord read_record(const Statement &row)
{
    const auto text = [&](int column) { return std::string(row.text(column)); };
    return {text(0), text(1), row.integer(2),     text(3), text(4), text(5),
            text(6), text(7), row.integer(8) != 0};
}

std::vector<LedgerRecord> read_records(Statement rows)
{
    std::vector<LedgerRecord> records;
    while (rows.step()) {
        records.push_back(read_record(rows));
    }
    return records;
}

// What the first entry's hash is made with.
std::string first_hash()
{
    return to_hex(Sha256{});
}

std::string next_hash(const std::string &before, std::string_view content)
{
    return to_hex(sha256(before + std::string(content)));
}

void insert(Sqlite &database, const LedgerRecord &record, int64_t position)
{
    database
        .prepare("INSERT INTO ledger_entries (document, position, entry_id, created_at, "
                 "about_run, about_phase, title, content, hash, is_in_file) VALUES "
                 "(?1, ?2, ?3, ?4, nullif(?5, ''), nullif(?6, ''), ?7, ?8, ?9, ?10)")
        .bind_all(record.document, position, record.id, record.at, record.run,
                  record.phase, record.title, record.content, record.hash,
                  int{record.is_in_file})
        .run();
}

bool has_entry(Sqlite &database, const std::string &id)
{
    Statement query =
        database.prepare("SELECT 1 FROM ledger_entries WHERE entry_id = ?1");
    return query.bind_all(id).step();
}

} // namespace

LedgerRecord record_of(const LedgerEntry &entry)
{
    return {std::string(document_of(entry.id).name),
            entry.id,
            entry.at,
            entry.run,
            entry.phase,
            entry.title,
            entry.text(),
            std::string(),
            true};
}

std::string record_entry(Sqlite &database, const LedgerDocument &document,
                         LedgerEntry entry)
{
    in_transaction(database, [&] {
        give_id(entry, document);
        while (has_entry(database, entry.id)) {
            entry.at++;
            give_id(entry, document);
        }
        int64_t position = 1;
        std::string before = first_hash();
        Statement last =
            database.prepare("SELECT position, hash FROM ledger_entries WHERE document "
                             "= ?1 ORDER BY position DESC LIMIT 1");
        if (last.bind_all(document.name).step()) {
            position = last.integer(0) + 1;
            before = last.text(1);
        }
        last.reset();
        LedgerRecord record = record_of(entry);
        record.is_in_file = false;
        record.hash = next_hash(before, record.content);
        insert(database, record, position);
    });
    return entry.id;
}

std::vector<LedgerRecord> read_chain(Sqlite &database, const LedgerDocument &document)
{
    Statement rows = database.prepare(std::string(record_columns) +
                                      "WHERE document = ?1 ORDER BY position");
    rows.bind_all(document.name);
    return read_records(std::move(rows));
}

std::optional<size_t> broken_link(const std::vector<LedgerRecord> &records)
{
    std::string before = first_hash();
    for (size_t at = 0; at < records.size(); at++) {
        before = next_hash(before, records[at].content);
        if (before != records[at].hash) {
            return at;
        }
    }
    return std::nullopt;
}

void replace_chains(Sqlite &database, const std::vector<LedgerRecord> &records)
{
    struct End
    {
        int64_t position = 0;
        std::string hash = first_hash();
    };
    std::map<std::string, End> ends;
    // All at once: an entry may change its document and keeps its id.
    database.execute("DELETE FROM ledger_entries");
    for (LedgerRecord record : records) {
        End &end = ends[record.document];
        end.hash = next_hash(end.hash, record.content);
        record.hash = end.hash;
        insert(database, record, ++end.position);
    }
}

bool is_unsettled(Sqlite &database, const LedgerDocument &document)
{
    Statement query = database.prepare(
        "SELECT EXISTS (SELECT 1 FROM ledger_entries WHERE document = ?1 AND is_in_file "
        "= 0) OR EXISTS (SELECT 1 FROM ledger_rewrites WHERE document = ?1)");
    return query.bind_all(document.name).step() && query.integer(0) != 0;
}

void mark_in_file(Sqlite &database, const LedgerDocument &document, size_t records)
{
    database
        .prepare("UPDATE ledger_entries SET is_in_file = 1 WHERE document = ?1 AND "
                 "is_in_file = 0 AND position <= ?2")
        .bind_all(document.name, static_cast<int64_t>(records))
        .run();
}

void order_rewrite(Sqlite &database, const LedgerDocument &document,
                   const LedgerRewrite &rewrite)
{
    database
        .prepare("INSERT OR REPLACE INTO ledger_rewrites (document, head, replaces) "
                 "VALUES (?1, ?2, ?3)")
        .bind_all(document.name, rewrite.head, rewrite.replaces)
        .run();
}

std::optional<LedgerRewrite> ordered_rewrite(Sqlite &database,
                                             const LedgerDocument &document)
{
    Statement row = database.prepare(
        "SELECT head, replaces FROM ledger_rewrites WHERE document = ?1");
    if (!row.bind_all(document.name).step()) {
        return std::nullopt;
    }
    return LedgerRewrite{std::string(row.text(0)), std::string(row.text(1))};
}

void forget_rewrite(Sqlite &database, const LedgerDocument &document)
{
    database.prepare("DELETE FROM ledger_rewrites WHERE document = ?1")
        .bind_all(document.name)
        .run();
}

std::vector<LedgerRecord> list_ledger(Sqlite &database, const LedgerFilter &filter)
{
    Statement rows = database.prepare(
        std::string(record_columns) +
        "WHERE (?1 IS NULL OR document = ?1) AND (?2 IS NULL OR about_run = ?2) "
        "ORDER BY created_at DESC, entry_id DESC LIMIT ?3");
    rows.bind_all(filter.document, filter.run, filter.limit);
    std::vector<LedgerRecord> records = read_records(std::move(rows));
    std::reverse(records.begin(), records.end());
    return records;
}

bool has_entry_since(Sqlite &database, const LedgerDocument &document,
                     std::string_view run, UnixMs since)
{
    Statement query = database.prepare(
        "SELECT 1 FROM ledger_entries WHERE about_run = ?1 AND created_at >= ?2 AND "
        "document = ?3 LIMIT 1");
    return query.bind_all(run, since, document.name).step();
}

} // namespace ap
