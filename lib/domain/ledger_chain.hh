#pragma once

#include "domain/ledger_document.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// An entry as the database has it.
struct LedgerRecord
{
    std::string document; ///< "build", "debug" or "decision"
    std::string id;
    UnixMs at = 0;
    std::string run;   ///< empty if it is about none
    std::string phase; ///< empty if it is about none
    std::string title;
    std::string content; ///< its text, exactly as in the document
    std::string hash;    ///< SHA-256 of the hash before it and the content
    bool is_in_file = false;
};

/// The entry as a record without a hash, in the document of its id, and in the file.
LedgerRecord record_of(const LedgerEntry &entry);

/// Adds the entry to the end of the document's chain, with the id that follows from what
/// it says, and returns the id. Its date goes on by milliseconds until no other entry has
/// that id. It is not in the file yet: settle_ledger(). Joins the caller's transaction or
/// makes one. What it costs does not depend on the history.
std::string record_entry(Sqlite &database, const LedgerDocument &document,
                         LedgerEntry entry);

/// The document's entries in the order of the chain.
std::vector<LedgerRecord> read_chain(Sqlite &database, const LedgerDocument &document);

/// The first record whose hash does not follow from those before it; nothing if all do.
std::optional<size_t> broken_link(const std::vector<LedgerRecord> &records);

/// Puts `records` in the place of the chains of all documents: their order, documents,
/// ids, dates and contents; hashes are made anew. Call inside a transaction.
void replace_chains(Sqlite &database, const std::vector<LedgerRecord> &records);

/// Whether the document's file may have to be written: entries that are not known to be
/// in it, or a rewrite that is not known to be done.
bool is_unsettled(Sqlite &database, const LedgerDocument &document);

/// Marks the entries of the document up to that position in the chain, counted from 1, as
/// being in the file.
void mark_in_file(Sqlite &database, const LedgerDocument &document, size_t records);

/// The document's file is to be written anew from the chain, with `head`, as long as it
/// still has the hash `replaces`.
struct LedgerRewrite
{
    std::string head;
    std::string replaces;
};
void order_rewrite(Sqlite &database, const LedgerDocument &document,
                   const LedgerRewrite &rewrite);
std::optional<LedgerRewrite> ordered_rewrite(Sqlite &database,
                                             const LedgerDocument &document);
void forget_rewrite(Sqlite &database, const LedgerDocument &document);

/// Which entries to list.
struct LedgerFilter
{
    std::optional<std::string> document;
    std::optional<std::string> run;
    int64_t limit = 50;
};

/// The newest entries that the filter lets through, oldest first.
std::vector<LedgerRecord> list_ledger(Sqlite &database, const LedgerFilter &filter);

/// Whether the document has an entry about the run that is not older than `since`.
bool has_entry_since(Sqlite &database, const LedgerDocument &document,
                     std::string_view run, UnixMs since);

} // namespace ap
