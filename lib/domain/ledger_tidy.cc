#include "domain/ledger.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/ledger_file.hh"
#include "domain/ledger_merge.hh"
#include "wrap/json.hh"
#include "wrap/sha256.hh"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace ap {

namespace {

constexpr size_t longest_made_title = 120;
constexpr UnixMs day_ms = 86'400'000;

// The first date such as 2026-11-25 in the text, at midnight.
std::optional<UnixMs> date_in(std::string_view text)
{
    for (size_t at = 0; at + 10 <= text.size(); at++) {
        if (text[at] == '1' || text[at] == '2') {
            const std::string day(text.substr(at, 10));
            if (const auto date = parse_rfc3339(day + "T00:00:00.000Z")) {
                return date;
            }
        }
    }
    return std::nullopt;
}

// Free text as an entry: its heading, or else its first line, is the title.
LedgerEntry entry_of_free_text(std::string_view text)
{
    LedgerEntry entry;
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with("## ")) {
        entry.title = trim(line.substr(3));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    } else {
        const size_t begin = std::min(line.find_first_not_of("#*-> \t"), line.size());
        entry.title = trim(line.substr(begin, longest_made_title));
    }
    if (entry.title.empty()) {
        entry.title = "Without a title";
    }
    entry.body = quoted_body(text);
    return entry;
}

class Tidier
{
public:
    Tidier(State &state, bool accept)
        : state_(state)
        , database_(state.database())
        , accept_(accept)
    {
    }

    std::vector<LedgerTidied> tidy()
    {
        const FileLock lock = lock_documents(state_.paths(), ledger_wait);
        for (const LedgerDocument &document : ledger_documents) {
            settle_document(state_, document);
            read_file_of(document);
        }
        Transaction transaction(database_);
        for (const LedgerDocument &document : ledger_documents) {
            read_chain_of(document);
        }
        for (const LedgerDocument &document : ledger_documents) {
            take_entries(document);
        }
        for (const LedgerDocument &document : ledger_documents) {
            take_free_text(document);
        }
        look_for_lost();
        record();
        transaction.commit();
        for (const LedgerDocument &document : ledger_documents) {
            settle_document(state_, document);
        }
        return {tidied_.begin(), tidied_.end()};
    }

private:
    struct Source
    {
        std::string text;
        LedgerUnion pieces;
        std::vector<LedgerRecord> chain;
        bool is_plain = false; ///< the file has a head and nothing else
    };

    static size_t index_of(const LedgerDocument &document)
    {
        return static_cast<size_t>(&document - std::begin(ledger_documents));
    }
    Source &source(const LedgerDocument &document)
    {
        return sources_[index_of(document)];
    }
    LedgerTidied &tidied(const LedgerDocument &document)
    {
        return tidied_[index_of(document)];
    }

    void read_file_of(const LedgerDocument &document)
    {
        tidied(document).document = &document;
        Source &from = source(document);
        from.text = read_document(state_.paths(), document);
        std::vector<LedgerText> versions;
        for (const std::string &version :
             conflict_versions(from.text, document_path(state_.paths(), document))) {
            versions.push_back(parse_ledger(version));
        }
        from.pieces = unite(versions);
        from.is_plain = versions.size() == 1 && from.pieces.entries.empty() &&
                        from.pieces.free.empty();
    }

    void read_chain_of(const LedgerDocument &document)
    {
        Source &from = source(document);
        from.chain = read_chain(database_, document);
        const auto link = broken_link(from.chain);
        if (link && !accept_) {
            throw Error(ExitStatus::BadData,
                        "entry " + from.chain[*link].id +
                            " does not follow in the database's chain; if that is in "
                            "order, 'ap-ledger tidy --accept' makes the chain anew");
        }
        for (const LedgerRecord &record : from.chain) {
            recorded_.insert(record.id);
            entries_.insert_or_assign(record.id, record);
        }
    }

    void take_entries(const LedgerDocument &document)
    {
        for (const LedgerPiece &piece : source(document).pieces.entries) {
            const LedgerDocument &owner = document_of(piece.entry->id);
            tidied(owner).moved += &owner == &document ? 0 : 1;
            take_entry(owner, piece);
        }
    }

    void take_entry(const LedgerDocument &owner, const LedgerPiece &piece)
    {
        const std::string &id = piece.entry->id;
        const bool is_first = present_.insert(id).second;
        const auto known = entries_.find(id);
        if (known == entries_.end()) {
            LedgerRecord record = record_of(*piece.entry);
            record.content = piece.is_whole ? piece.text : record.content;
            entries_.emplace(id, std::move(record));
            tidied(owner).adopted++;
        } else if (known->second.content != piece.text) {
            tidied(owner).differing++;
            if (accept_ && is_first && piece.is_whole && recorded_.contains(id)) {
                known->second = record_of(*piece.entry);
                known->second.content = piece.text;
            } else if (known->second.content.find(piece.entry->body) ==
                           std::string::npos ||
                       known->second.title != piece.entry->title) {
                keep_differing(owner, *piece.entry);
            }
        }
    }

    void keep_differing(const LedgerDocument &owner, LedgerEntry entry)
    {
        entry.title += " (differs from " + entry.id + ")";
        entry.at++;
        entry.body = quoted_body(entry.body);
        give_id(entry, owner);
        entries_.emplace(entry.id, record_of(entry));
        present_.insert(entry.id);
    }

    void take_free_text(const LedgerDocument &document)
    {
        std::optional<UnixMs> last;
        for (const LedgerPiece &piece : source(document).pieces.free) {
            LedgerEntry entry = entry_of_free_text(piece.text);
            auto date = date_in(entry.title);
            date = date ? date : date_in(entry.body);
            const UnixMs after = std::max(piece.after, last.value_or(0));
            const bool has_before = piece.after > 0 || last;
            // The order of a day is kept, and what has no date follows what it stands by.
            if (!date) {
                date = has_before ? after + 1 : 0;
            } else if (has_before && *date <= after && *date / day_ms == after / day_ms) {
                date = after + 1;
            }
            entry.at = *date;
            last = entry.at;
            give_id(entry, document);
            entries_.emplace(entry.id, record_of(entry));
            present_.insert(entry.id);
            tidied(document).adopted++;
        }
    }

    // Recorded entries that no file has any more.
    void look_for_lost()
    {
        for (const std::string &id : recorded_) {
            const auto entry = entries_.find(id);
            if (present_.contains(id) || !entry->second.is_in_file) {
                continue;
            }
            tidied(document_of(id)).returned++;
            if (accept_) {
                entries_.erase(entry);
            }
        }
    }

    void record()
    {
        std::vector<LedgerRecord> records;
        bool is_changed = false;
        for (const LedgerDocument &document : ledger_documents) {
            const std::vector<LedgerRecord> chain = sorted_entries(document);
            is_changed = plan_rewrite(document, chain) || is_changed;
            records.insert(records.end(), chain.begin(), chain.end());
        }
        if (is_changed) {
            replace_chains(database_, records);
        }
    }

    std::vector<LedgerRecord> sorted_entries(const LedgerDocument &document) const
    {
        std::vector<LedgerRecord> chain;
        for (const auto &[id, record] : entries_) {
            if (&document_of(id) == &document) {
                chain.push_back(record);
                chain.back().document = document.name;
            }
        }
        std::sort(chain.begin(), chain.end(), [](const auto &a, const auto &b) {
            return std::tie(a.at, a.id) < std::tie(b.at, b.id);
        });
        return chain;
    }

    // True if the chain or the file is to change.
    bool plan_rewrite(const LedgerDocument &document,
                      const std::vector<LedgerRecord> &chain)
    {
        const Source &from = source(document);
        LedgerTidied &result = tidied(document);
        result.entries = static_cast<int64_t>(chain.size());
        std::vector<std::string> texts;
        texts.reserve(chain.size());
        for (const LedgerRecord &record : chain) {
            texts.push_back(record.content);
        }
        const bool same_chain = std::equal(
            chain.begin(), chain.end(), from.chain.begin(), from.chain.end(),
            [](const auto &a, const auto &b) { return a.content == b.content; });
        const std::string head =
            from.text.empty() ? new_head(document) : from.pieces.head;
        // A document without entries keeps the form it has.
        const bool same_file =
            from.is_plain ? chain.empty() : render_ledger(head, texts) == from.text;
        result.is_changed = !same_chain || !same_file || broken_link(from.chain);
        if (!same_file) {
            order_rewrite(database_, document, {head, to_hex(sha256(from.text))});
        }
        if (result.is_changed) {
            append_event(database_, "ledger.tidied", {}, {}, 0,
                         tidied_to_json(result).set("accepted", accept_).dump());
        }
        return result.is_changed;
    }

    State &state_;
    Sqlite &database_;
    bool accept_;
    std::array<Source, std::size(ledger_documents)> sources_;
    std::array<LedgerTidied, std::size(ledger_documents)> tidied_;
    std::map<std::string, LedgerRecord> entries_; ///< by id
    std::set<std::string> recorded_;              ///< ids that the chains have
    std::set<std::string> present_;               ///< ids that the files have
};

} // namespace

std::vector<LedgerTidied> tidy_ledger(State &state, bool accept)
{
    return Tidier(state, accept).tidy();
}

std::string tidied_text(const LedgerTidied &tidied)
{
    std::string text = std::string(tidied.document->path) + ": " +
                       std::to_string(tidied.entries) + " entries";
    const auto add = [&](int64_t count, std::string_view what) {
        text += count == 0 ? "" : ", " + std::to_string(count) + " " + std::string(what);
    };
    add(tidied.adopted, "adopted");
    add(tidied.returned, "had been removed");
    add(tidied.differing, "had been edited");
    add(tidied.moved, "came from another document");
    return text + (tidied.is_changed ? "" : ", nothing to do");
}

Json tidied_to_json(const LedgerTidied &tidied)
{
    return Json::object()
        .set("document", tidied.document->name)
        .set("entries", tidied.entries)
        .set("adopted", tidied.adopted)
        .set("returned", tidied.returned)
        .set("differing", tidied.differing)
        .set("moved", tidied.moved)
        .set("is_changed", tidied.is_changed);
}

} // namespace ap
