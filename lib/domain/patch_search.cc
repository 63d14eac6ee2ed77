#include "domain/patch_search.hh"

#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr int64_t most_comparisons = 100'000'000;

std::string_view indentation(std::string_view line)
{
    return line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
}

// How far `line` is indented from `wanted`; nothing if neither ends the other.
std::optional<IndentShift> shift_between(std::string_view line, std::string_view wanted)
{
    const std::string_view has = indentation(line);
    const std::string_view says = indentation(wanted);
    IndentShift shift;
    if (has.ends_with(says)) {
        shift.added = has.substr(0, has.size() - says.size());
    } else if (says.ends_with(has)) {
        shift.removed = says.substr(0, says.size() - has.size());
    } else {
        return std::nullopt;
    }
    return shift;
}

} // namespace

std::string_view without_end_blanks(std::string_view line)
{
    const size_t last = line.find_last_not_of(" \t\r\n");
    return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

std::vector<FoundLines> LineSearch::find(const WantedLines &wanted, MatchLevel level)
{
    std::vector<FoundLines> found;
    for (size_t at = 0; at + wanted.size() <= lines_.size(); at++) {
        auto shift = level == MatchLevel::Indent ? match_indented(wanted, at)
                                                 : match_straight(wanted, at, level);
        if (took_too_long()) {
            return {};
        }
        if (shift) {
            found.push_back({at, std::move(*shift)});
        }
    }
    return found;
}

bool LineSearch::took_too_long() const noexcept
{
    return comparisons_ > most_comparisons;
}

std::optional<IndentShift> LineSearch::match_straight(const WantedLines &wanted,
                                                      size_t at, MatchLevel level)
{
    for (size_t i = 0; i < wanted.size(); i++) {
        const FileLine &line = lines_[at + i];
        const std::string &text = wanted[i]->text;
        comparisons_++;
        if (line.is_changed ||
            (level == MatchLevel::Exact
                 ? line.text != text
                 : without_end_blanks(line.text) != without_end_blanks(text))) {
            return std::nullopt;
        }
    }
    return IndentShift();
}

std::optional<IndentShift> LineSearch::match_indented(const WantedLines &wanted,
                                                      size_t at)
{
    std::optional<IndentShift> common;
    for (size_t i = 0; i < wanted.size(); i++) {
        const FileLine &line = lines_[at + i];
        const std::string &text = wanted[i]->text;
        comparisons_++;
        if (line.is_changed || trim(line.text) != trim(text)) {
            return std::nullopt;
        }
        if (trim(text).empty()) {
            continue;
        }
        auto shift = shift_between(line.text, text);
        if (!shift || (common && (common->added != shift->added ||
                                  common->removed != shift->removed))) {
            return std::nullopt;
        }
        common = std::move(shift);
    }
    return common;
}

std::optional<size_t> LineSearch::nearest(const WantedLines &wanted) const
{
    size_t most = 0;
    size_t best = 0;
    int64_t left = most_comparisons / 10;
    for (size_t at = 0; at < lines_.size() && left > 0; at++) {
        size_t same = 0;
        const size_t length = std::min(wanted.size(), lines_.size() - at);
        for (size_t i = 0; i < length; i++, left--) {
            const std::string_view text = trim(wanted[i]->text);
            same += !text.empty() && trim(lines_[at + i].text) == text;
        }
        if (same > most) {
            most = same;
            best = at;
        }
    }
    return most == 0 ? std::nullopt : std::optional(best);
}

} // namespace ap
