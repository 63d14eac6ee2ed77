#pragma once

#include "domain/ledger_chain.hh"
#include "domain/ledger_document.hh"
#include "domain/state.hh"
#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// How long a tool waits for another that writes the documents.
inline constexpr std::chrono::milliseconds ledger_wait{10'000};

/// Brings the files to what the database says: appends the entries that a process which
/// was killed, or could not write, has left, and finishes a tidy that was cut short.
/// Each file is written under another name, synced and renamed. Costs two key look-ups if
/// there is nothing to do. Throws Error(TryAgain) if the documents stay locked for longer
/// than `wait`.
void settle_ledger(State &state, std::chrono::milliseconds wait = ledger_wait);

/// The first place where a document is not what its chain says.
struct LedgerBreak
{
    std::string path;   ///< of the file
    int64_t line = 0;   ///< from 1
    std::string entry;  ///< id; empty for text that is no entry
    std::string reason; ///< "was edited", "was removed", "is out of order", ...
};

/// Settles the ledger and compares the document with its chain. A document without any
/// recorded entry is not looked at: nothing was claimed of it.
std::optional<LedgerBreak> verify_ledger(State &state, const LedgerDocument &document);

/// "FILE:LINE: entry ID was edited".
std::string break_text(const LedgerBreak &broken);

/// What tidy_ledger() did to a document.
struct LedgerTidied
{
    const LedgerDocument *document = nullptr;
    int64_t entries = 0;   ///< it has now
    int64_t adopted = 0;   ///< entries and free text that were not recorded
    int64_t returned = 0;  ///< recorded entries that the file had lost
    int64_t differing = 0; ///< texts that differed from an entry of their id
    int64_t moved = 0;     ///< entries that stood in another document
    bool is_changed = false;
};

/// For people, one line.
std::string tidied_text(const LedgerTidied &tidied);

Json tidied_to_json(const LedgerTidied &tidied);

/// Makes the documents what they should be, all or nothing: conflict markers are resolved
/// by taking both sides; free text becomes entries; entries are sorted by date and id,
/// each once and in its document; those that were lost come back; an entry that was
/// edited gets its recorded text again, and the other text becomes an entry of its own;
/// the index is made anew and the chain with it. With `accept`, what was edited or
/// removed by hand stays so. An event records what was done. Doing it again changes
/// nothing. Throws Error(BadData) for a conflict marker without its counterpart, or if
/// the chain itself does not hold (unless `accept`).
std::vector<LedgerTidied> tidy_ledger(State &state, bool accept);

} // namespace ap
