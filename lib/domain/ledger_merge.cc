#include "domain/ledger_merge.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace ap {

namespace {

enum class Side { Both, Ours, Base, Theirs };

// Whether `line` is the conflict marker of seven times `letter`.
bool is_marker(std::string_view line, char letter)
{
    return line.starts_with(std::string(7, letter)) &&
           (line.size() == 7 || line[7] == ' ' || line[7] == '\r' || line[7] == '\n');
}

class Splitter
{
public:
    explicit Splitter(const std::string &name)
        : name_(name)
    {
    }

    void take(std::string_view line)
    {
        number_++;
        if (is_marker(line, '<')) {
            go(Side::Both, Side::Ours);
            begin_ = number_;
        } else if (is_marker(line, '|') && side_ != Side::Both) {
            go(Side::Ours, Side::Base);
        } else if (is_marker(line, '=') && side_ != Side::Both) {
            go(side_ == Side::Base ? Side::Base : Side::Ours, Side::Theirs);
        } else if (is_marker(line, '>')) {
            go(Side::Theirs, Side::Both);
        } else {
            for (const Side side : {Side::Ours, Side::Base, Side::Theirs}) {
                if (side_ == Side::Both || side_ == side) {
                    versions_[static_cast<size_t>(side)].append(line);
                }
            }
        }
    }

    std::vector<std::string> finish()
    {
        if (side_ != Side::Both) {
            refuse(begin_);
        }
        std::vector<std::string> versions = {versions_[1]};
        if (begin_ > 0) {
            versions.push_back(versions_[3]);
            if (has_base_) {
                versions.push_back(versions_[2]);
            }
        }
        return versions;
    }

private:
    void go(Side from, Side to)
    {
        if (side_ != from) {
            refuse(number_);
        }
        side_ = to;
        has_base_ = has_base_ || to == Side::Base;
    }

    [[noreturn]] void refuse(int64_t line) const
    {
        throw Error(
            ExitStatus::BadData,
            name_ + ":" + std::to_string(line) +
                ": a conflict marker without its counterpart; resolve it by hand");
    }

    const std::string &name_;
    std::array<std::string, 4> versions_;
    Side side_ = Side::Both;
    int64_t number_ = 0;
    int64_t begin_ = 0;
    bool has_base_ = false;
};

std::string united_heads(const std::vector<LedgerText> &versions)
{
    std::string head = versions.front().head;
    std::set<std::string_view> known;
    for (const std::string_view line : split(versions.front().head, '\n')) {
        known.insert(line);
    }
    for (const LedgerText &version : versions) {
        for (const std::string_view line : split(version.head, '\n')) {
            if (known.insert(line).second) {
                head.append(line).append("\n");
            }
        }
    }
    return head;
}

std::string between_markers(std::string_view ours, std::string_view theirs)
{
    return "<<<<<<< ours\n" + std::string(ours) + "=======\n" + std::string(theirs) +
           ">>>>>>> theirs\n";
}

std::string merged_heads(const std::string &base, const std::string &ours,
                         const std::string &theirs, LedgerMerge &merge)
{
    if (trim(ours) == trim(theirs) || trim(theirs) == trim(base)) {
        return ours;
    }
    if (trim(ours) == trim(base)) {
        return theirs;
    }
    merge.conflicts.emplace_back("head");
    return between_markers(ours, theirs);
}

// Free text that the base had is only kept where ours has it: theirs has nothing to add
// then.
void remove_old_free_text(LedgerText &theirs, const LedgerText &base)
{
    std::set<std::string_view> old;
    for (const LedgerPiece &piece : base.pieces) {
        old.insert(piece.text);
    }
    std::erase_if(theirs.pieces, [&](const LedgerPiece &piece) {
        return !piece.entry && old.contains(piece.text);
    });
}

} // namespace

std::vector<std::string> conflict_versions(std::string_view text, const std::string &name)
{
    Splitter splitter(name);
    for (const std::string_view line : lines_of(text)) {
        splitter.take(line);
    }
    return splitter.finish();
}

LedgerUnion unite(const std::vector<LedgerText> &versions)
{
    LedgerUnion all;
    all.head = united_heads(versions);
    std::set<std::string_view> seen;
    std::map<std::string_view, UnixMs> dates; // of the first text of each id
    for (const LedgerText &version : versions) {
        for (const LedgerPiece &piece : version.pieces) {
            if (seen.insert(piece.text).second) {
                (piece.entry ? all.entries : all.free).push_back(piece);
            }
            if (piece.entry) {
                dates.emplace(piece.entry->id, piece.entry->at);
            }
        }
    }
    const auto key = [&](const LedgerPiece &piece) {
        return std::pair(dates.at(piece.entry->id), std::string_view(piece.entry->id));
    };
    std::stable_sort(
        all.entries.begin(), all.entries.end(),
        [&](const LedgerPiece &a, const LedgerPiece &b) { return key(a) < key(b); });
    return all;
}

LedgerMerge merge_ledgers(std::string_view base, std::string_view ours,
                          std::string_view theirs)
{
    const LedgerText old = parse_ledger(base);
    std::vector<LedgerText> sides = {parse_ledger(ours), parse_ledger(theirs)};
    remove_old_free_text(sides[1], old);
    const LedgerUnion all = unite(sides);
    LedgerMerge merge;
    std::string head = merged_heads(old.head, sides[0].head, sides[1].head, merge);
    for (const LedgerPiece &piece : all.free) {
        head.append(head.empty() || head.ends_with("\n\n") ? "" : "\n")
            .append(piece.text);
    }
    std::vector<std::string> texts;
    for (size_t at = 0; at < all.entries.size(); at++) {
        const LedgerPiece &piece = all.entries[at];
        texts.push_back(piece.text);
        // A third text, of a side that has two, stands by itself.
        if (at + 1 < all.entries.size() &&
            all.entries[at + 1].entry->id == piece.entry->id) {
            merge.conflicts.push_back(piece.entry->id);
            texts.back() = between_markers(piece.text, all.entries[++at].text);
        }
    }
    const bool has_index = sides[0].has_index || sides[1].has_index || !texts.empty();
    merge.text = has_index ? render_ledger(head, texts) : head;
    return merge;
}

} // namespace ap
