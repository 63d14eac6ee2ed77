#include "domain/ledger.hh"

#include "base/error.hh"
#include "domain/ledger_file.hh"
#include "sys/path.hh"
#include "wrap/sha256.hh"

#include <algorithm>
#include <map>
#include <set>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t largest_document = size_t{64} << 20;

// Keeps the mode of the file that is there.
void write_document(const std::string &path, std::string_view text)
{
    struct stat status = {};
    const bool exists = stat(path.c_str(), &status) == 0;
    write_file_atomically(path, text, exists ? status.st_mode & 0777 : 0666);
}

// That an entry is in its file can be found out again, so the mark need not be synced.
class WithoutSync
{
public:
    explicit WithoutSync(Sqlite &database)
        : database_(database)
    {
        database_.execute("PRAGMA synchronous = NORMAL");
    }
    ~WithoutSync()
    {
        try {
            database_.execute("PRAGMA synchronous = FULL");
        } catch (const Error &) {
            return; // a broken connection tells whoever uses it next
        }
    }
    WithoutSync(const WithoutSync &) = delete;
    WithoutSync &operator=(const WithoutSync &) = delete;

private:
    Sqlite &database_;
};

std::set<std::string> ids_of(const LedgerText &text)
{
    std::set<std::string> ids;
    for (const LedgerPiece &piece : text.pieces) {
        if (piece.entry) {
            ids.insert(piece.entry->id);
        }
    }
    return ids;
}

// Appends what the file has not got yet; empty if that is nothing.
std::string with_missing_entries(std::string text, const LedgerDocument &document,
                                 const std::vector<LedgerRecord> &records)
{
    const std::set<std::string> present = ids_of(parse_ledger(text));
    bool is_changed = false;
    for (const LedgerRecord &record : records) {
        if (record.is_in_file || present.contains(record.id)) {
            continue;
        }
        if (text.empty()) {
            text = new_head(document);
        }
        text.append(text.ends_with('\n') ? "\n" : "\n\n").append(record.content);
        is_changed = true;
    }
    return is_changed ? text : std::string();
}

class Verifier
{
public:
    Verifier(std::string path, std::string_view text, std::vector<LedgerRecord> records)
        : path_(std::move(path))
        , text_(parse_ledger(text))
        , records_(std::move(records))
    {
        for (const LedgerRecord &record : records_) {
            recorded_.emplace(record.id, &record);
        }
    }

    std::optional<LedgerBreak> find() const
    {
        size_t at = 0;
        std::set<std::string_view> seen;
        bool entries_began = false;
        for (const LedgerPiece &piece : text_.pieces) {
            if (!piece.entry) {
                if (entries_began) {
                    return found(piece.line, {},
                                 "text that is no entry; 'ap-ledger tidy' records it");
                }
                continue; // older than the ledger
            }
            entries_began = true;
            if (const auto reason = compare(piece, at, seen)) {
                return found(piece.line, piece.entry->id, *reason);
            }
            seen.insert(piece.entry->id);
            at++;
        }
        if (at < records_.size()) {
            return found(text_.lines + 1, records_[at].id, "was removed");
        }
        if (const auto link = broken_link(records_)) {
            return found(line_of(records_[*link].id), records_[*link].id,
                         "does not follow in the database's chain");
        }
        return std::nullopt;
    }

private:
    LedgerBreak found(int64_t line, std::string_view entry, std::string_view reason) const
    {
        return {path_, line, std::string(entry), std::string(reason)};
    }

    int64_t line_of(std::string_view id) const
    {
        const auto piece = std::find_if(
            text_.pieces.begin(), text_.pieces.end(),
            [&](const LedgerPiece &one) { return one.entry && one.entry->id == id; });
        return piece == text_.pieces.end() ? 1 : piece->line;
    }

    // Why the piece is not the record at `at`; nothing if it is.
    std::optional<std::string> compare(const LedgerPiece &piece, size_t at,
                                       const std::set<std::string_view> &seen) const
    {
        const std::string &id = piece.entry->id;
        const auto known = recorded_.find(id);
        if (known == recorded_.end()) {
            return "was inserted: no tool has recorded it";
        }
        if (seen.contains(id)) {
            return "is there twice";
        }
        if (known->second->content != piece.text) {
            return piece.is_whole ? "was edited" : "was cut short";
        }
        if (at < records_.size() && records_[at].id == id) {
            return std::nullopt;
        }
        const std::string &wanted = records_[at].id;
        return ids_of(text_).contains(wanted)
                   ? "is out of order: entry " + wanted + " belongs before it"
                   : "follows entry " + wanted + ", which was removed";
    }

    std::string path_;
    LedgerText text_;
    std::vector<LedgerRecord> records_;
    std::map<std::string_view, const LedgerRecord *> recorded_;
};

} // namespace

FileLock lock_documents(const StatePaths &paths, std::chrono::milliseconds wait)
{
    const std::string directory = parent_path(document_path(paths, ledger_documents[0]));
    make_directories(directory);
    return {directory, "'" + directory + "'", wait};
}

std::string document_path(const StatePaths &paths, const LedgerDocument &document)
{
    return join_path(paths.directory, document.path);
}

std::string read_document(const StatePaths &paths, const LedgerDocument &document)
{
    const std::string path = document_path(paths, document);
    return path_exists(path) ? read_file(path, largest_document) : std::string();
}

void settle_document(State &state, const LedgerDocument &document)
{
    Sqlite &database = state.database();
    if (!is_unsettled(database, document)) {
        return;
    }
    const std::string path = document_path(state.paths(), document);
    std::string text = read_document(state.paths(), document);
    const auto rewrite = ordered_rewrite(database, document);
    const std::vector<LedgerRecord> records = read_chain(database, document);
    if (rewrite && to_hex(sha256(text)) == rewrite->replaces) {
        std::vector<std::string> entries;
        entries.reserve(records.size());
        for (const LedgerRecord &record : records) {
            entries.push_back(record.content);
        }
        write_document(path, render_ledger(rewrite->head, entries));
    } else if (text = with_missing_entries(std::move(text), document, records);
               !text.empty()) {
        write_document(path, text);
    }
    const WithoutSync fast(database);
    in_transaction(database, [&] {
        forget_rewrite(database, document);
        mark_in_file(database, document, records.size());
    });
}

void settle_ledger(State &state, std::chrono::milliseconds wait)
{
    Sqlite &database = state.database();
    const auto unsettled = [&](const LedgerDocument &document) {
        return is_unsettled(database, document);
    };
    if (std::none_of(std::begin(ledger_documents), std::end(ledger_documents),
                     unsettled)) {
        return;
    }
    const FileLock lock = lock_documents(state.paths(), wait);
    for (const LedgerDocument &document : ledger_documents) {
        settle_document(state, document);
    }
}

std::optional<LedgerBreak> verify_ledger(State &state, const LedgerDocument &document)
{
    if (read_chain(state.database(), document).empty()) {
        return std::nullopt;
    }
    const FileLock lock = lock_documents(state.paths(), ledger_wait);
    settle_document(state, document);
    std::vector<LedgerRecord> records = read_chain(state.database(), document);
    // Recorded since, and about to be written by a process that waits for the lock.
    std::erase_if(records, [](const LedgerRecord &record) { return !record.is_in_file; });
    if (records.empty()) {
        return std::nullopt;
    }
    return Verifier(document_path(state.paths(), document),
                    read_document(state.paths(), document), std::move(records))
        .find();
}

std::string break_text(const LedgerBreak &broken)
{
    return broken.path + ":" + std::to_string(broken.line) + ": " +
           (broken.entry.empty() ? "" : "entry " + broken.entry + " ") + broken.reason;
}

} // namespace ap
