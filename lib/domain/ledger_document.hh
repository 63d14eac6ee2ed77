#pragma once

#include "base/clock.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One of the append-only documents that people and tools write what happened into.
struct LedgerDocument
{
    std::string_view name;  ///< as the tool's operand: "build"
    std::string_view path;  ///< beside the database
    std::string_view title; ///< of a new file
    char letter;            ///< its entries' ids begin with it
};

/// All of them, sorted by path.
inline constexpr LedgerDocument ledger_documents[] = {
    {"decision", "docs/ARCHITECTURE_DECISIONS.md", "Architecture decisions", 'A'},
    {"build", "docs/BUILD_HISTORY.md", "Build history", 'B'},
    {"debug", "docs/DEBUG_LOG.md", "Debug log", 'D'},
};

/// The document that an entry of that id belongs into.
const LedgerDocument &document_of(std::string_view id);

/// The document of that name. Throws UsageError for any other word.
const LedgerDocument &ledger_document(std::string_view name);

/// One entry of a document.
struct LedgerEntry
{
    std::string id; ///< the document's letter, '-', 12 hexadecimal digits
    UnixMs at = 0;
    std::string title; ///< one line
    std::string run;   ///< the run it is about; empty if none
    std::string phase; ///< of that run; empty if none
    std::string body;  ///< Markdown without blank lines at either end; may be empty

    /// As it stands in the document, from its heading to the line that ends it:
    ///
    ///     ## B-3f9a2c71d0aa 2026-11-25T00:42:10.123Z Title
    ///
    ///     Run: night, phase: fix
    ///
    ///     Body.
    ///
    ///     <!-- end B-3f9a2c71d0aa -->
    std::string text() const;
};

/// Gives the entry the id that follows from what it says, so that the same text gets the
/// same id on every machine.
void give_id(LedgerEntry &entry, const LedgerDocument &document);

/// `body` without blank lines at its ends, and with a backslash before those of its lines
/// that would be taken for a heading or an end of an entry, or for a conflict marker.
std::string quoted_body(std::string_view body);

/// A piece of a document: an entry, or text that belongs to none.
struct LedgerPiece
{
    int64_t line = 0;                 ///< of its beginning, from 1
    std::string text;                 ///< exactly, with the newline at its end
    std::optional<LedgerEntry> entry; ///< unless it is free text
    bool is_whole = true;             ///< false for an entry without its end
    UnixMs after = 0;                 ///< the date of the entry before it; 0 without one
};

/// A document taken apart. What stands before its first entry and before the first "## "
/// heading is its head; the index is left out.
struct LedgerText
{
    std::string head;
    std::vector<LedgerPiece> pieces; ///< free text of blanks only is left out
    bool has_index = false;
    int64_t lines = 0;
};

LedgerText parse_ledger(std::string_view text);

/// The document with that head, an index, and the entries; `entries` are texts of entries
/// in their order.
std::string render_ledger(std::string_view head, const std::vector<std::string> &entries);

/// The head of a new document.
std::string new_head(const LedgerDocument &document);

} // namespace ap
