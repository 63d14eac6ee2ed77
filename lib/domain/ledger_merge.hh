#pragma once

#include "domain/ledger_document.hh"

#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The versions that a file with conflict markers was made of, whole: ours, theirs, and
/// with diff3 markers what both came from. A file without markers is its only version.
/// `name` is for messages. Throws Error(BadData) naming the line if a marker has no
/// counterpart.
std::vector<std::string> conflict_versions(std::string_view text,
                                           const std::string &name);

/// All that versions of a document hold, each thing once.
struct LedgerUnion
{
    std::string head;              ///< that of the first, and lines only others have
    std::vector<LedgerPiece> free; ///< free text, in the order of the versions
    std::vector<LedgerPiece>
        entries; ///< by date, then id; an id with different texts has
                 ///< them beside each other, as the versions come
};

LedgerUnion unite(const std::vector<LedgerText> &versions);

/// What a merge of two versions of a document came to.
struct LedgerMerge
{
    std::string text;
    std::vector<std::string> conflicts; ///< ids with two texts; "head" for the head
};

/// Merges `ours` and `theirs`, which both come from `base`: all entries of both, by date
/// and then id, and their free text before them. The same entry with different texts, and
/// a head that both changed, are conflicts and stand in `text` between the usual markers.
LedgerMerge merge_ledgers(std::string_view base, std::string_view ours,
                          std::string_view theirs);

} // namespace ap
