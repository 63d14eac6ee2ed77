#include "domain/patch_match.hh"

#include "base/text.hh"
#include "domain/patch_search.hh"

#include <algorithm>
#include <cctype>
#include <utility>

namespace ap {

namespace {

enum class LineEnds { Plain, Dos, Mixed };

LineEnds ends_of(const std::vector<FileLine> &lines)
{
    size_t dos = 0;
    size_t ended = 0;
    for (const FileLine &line : lines) {
        ended += line.text.ends_with('\n');
        dos += line.text.ends_with("\r\n");
    }
    if (dos == 0) {
        return LineEnds::Plain;
    }
    return dos == ended ? LineEnds::Dos : LineEnds::Mixed;
}

class Patcher
{
public:
    Patcher(std::string_view text, int fuzz)
        : fuzz_(fuzz)
    {
        int64_t number = 0;
        for (const std::string_view line : lines_of(text)) {
            lines_.push_back({std::string(line), ++number, false});
        }
        ends_ = ends_of(lines_);
    }

    void put(const Hunk &hunk)
    {
        if (hunk.search && put_text(hunk)) {
            return;
        }
        WantedLines wanted;
        for (const HunkLine &line : hunk.lines) {
            if (line.kind != '+') {
                wanted.push_back(&line);
            }
        }
        if (wanted.empty()) {
            put_without_context(hunk);
        } else {
            put_lines(hunk, wanted);
        }
        for (const HunkLine &line : hunk.lines) {
            shift_ += line.kind == '+' ? 1 : line.kind == '-' ? -1 : 0;
        }
    }

    PatchedText result()
    {
        for (const FileLine &line : lines_) {
            result_.text += line.text;
        }
        return std::move(result_);
    }

private:
    void reject(const Hunk &hunk, std::string why)
    {
        is_straight_ = false;
        HunkRejection rejection;
        rejection.line = hunk.line;
        rejection.header = hunk.header;
        rejection.why = std::move(why);
        result_.rejections.push_back(std::move(rejection));
    }

    void put_without_context(const Hunk &hunk)
    {
        if (!lines_.empty()) {
            reject(hunk, "it has no context or removed lines to find its place by");
            return;
        }
        replace(hunk, {0, {}}, MatchLevel::Exact, 0, 0);
    }

    // The edit's text, if it is there once; false if it is not, and lines may be.
    bool put_text(const Hunk &hunk)
    {
        std::string text;
        for (const FileLine &line : lines_) {
            text += line.text;
        }
        const std::string &search = *hunk.search;
        const size_t at = search.empty() ? std::string::npos : text.find(search);
        if (at == std::string::npos) {
            return false;
        }
        if (text.find(search, at + 1) != std::string::npos) {
            reject(hunk, "its text is there more than once; more of what is around it "
                         "would tell which is meant");
            return true;
        }
        result_.places.push_back(
            {hunk.header,
             1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at),
                            '\n'),
             std::nullopt, MatchLevel::Exact});
        text.replace(at, search.size(), hunk.replace);
        lines_.clear();
        for (const std::string_view line : lines_of(text)) {
            lines_.push_back(
                {std::string(line), static_cast<int64_t>(lines_.size() + 1), false});
        }
        return true;
    }

    void put_lines(const Hunk &hunk, const WantedLines &wanted)
    {
        LineSearch search(lines_);
        for (const MatchLevel level :
             {MatchLevel::Exact, MatchLevel::Blanks, MatchLevel::Indent}) {
            if (level != MatchLevel::Exact && fuzz_ < 0) {
                break;
            }
            if (put_at_level(search, hunk, wanted, level, 0, 0)) {
                return;
            }
        }
        const auto is_context = [](const HunkLine &line) { return line.kind == ' '; };
        const auto head = static_cast<int>(
            std::find_if_not(hunk.lines.begin(), hunk.lines.end(), is_context) -
            hunk.lines.begin());
        const auto tail = static_cast<int>(
            std::find_if_not(hunk.lines.rbegin(), hunk.lines.rend(), is_context) -
            hunk.lines.rbegin());
        for (int cut = 1; cut <= std::min(fuzz_, std::max(head, tail)); cut++) {
            if (put_at_level(search, hunk, wanted, MatchLevel::Context,
                             std::min(cut, head), std::min(cut, tail))) {
                return;
            }
        }
        reject(hunk, search.took_too_long() ? "the search for its place takes too long"
                                            : "its lines are nowhere in the file");
        tell_nearest(search, wanted);
    }

    // True if the matter is settled, by putting the hunk or rejecting it.
    bool put_at_level(LineSearch &search, const Hunk &hunk, const WantedLines &wanted,
                      MatchLevel level, int head, int tail)
    {
        if (static_cast<size_t>(head) + static_cast<size_t>(tail) >= wanted.size()) {
            return false;
        }
        const WantedLines part(wanted.begin() + head, wanted.end() - tail);
        if (!tells_something(part, level)) {
            return false;
        }
        const std::vector<FoundLines> found = search.find(part, level);
        if (found.empty()) {
            return false;
        }
        const FoundLines *chosen =
            found.size() == 1 ? &found.front() : stated(hunk, found, part.size(), head);
        if (chosen == nullptr) {
            std::string places;
            for (size_t i = 0; i < std::min(found.size(), size_t{5}); i++) {
                places += (i == 0 ? "" : ", ") + std::to_string(line_number(found[i].at));
            }
            reject(hunk, "it fits more than one place: line " + places +
                             (found.size() > 5 ? ", ..." : ""));
            return true;
        }
        replace(hunk, *chosen, level, static_cast<size_t>(head),
                static_cast<size_t>(tail));
        return true;
    }

    // A few braces or blank lines could be anywhere.
    static bool tells_something(const WantedLines &wanted, MatchLevel level)
    {
        return level == MatchLevel::Exact ||
               std::any_of(wanted.begin(), wanted.end(), [](const HunkLine *line) {
                   return std::any_of(
                       line->text.begin(), line->text.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0; });
               });
    }

    // Tells the last rejection where most of its lines are.
    void tell_nearest(const LineSearch &search, const WantedLines &wanted)
    {
        const auto best = search.nearest(wanted);
        if (!best) {
            return;
        }
        HunkRejection &rejection = result_.rejections.back();
        rejection.nearest = line_number(*best);
        for (size_t i = 0; i < wanted.size(); i++) {
            const std::string_view text = without_end_blanks(wanted[i]->text);
            const std::string_view there =
                *best + i < lines_.size() ? without_end_blanks(lines_[*best + i].text)
                                          : "";
            if (text != there) {
                rejection.expected = text;
                rejection.found = there;
                return;
            }
        }
    }

    // The candidate at the line the hunk states, if its numbers can be trusted: then they
    // are where git and patch would put it, too.
    const FoundLines *stated(const Hunk &hunk, const std::vector<FoundLines> &found,
                             size_t length, int head) const
    {
        if (!is_straight_ || !hunk.old_start || !hunk.new_start ||
            *hunk.old_start + shift_ != *hunk.new_start) {
            return nullptr;
        }
        const int64_t line = *hunk.new_start - 1 + head;
        const auto at = [&](int64_t place) {
            const auto hit = std::find_if(
                found.begin(), found.end(), [&](const FoundLines &candidate) {
                    return static_cast<int64_t>(candidate.at) == place;
                });
            return hit == found.end() ? nullptr : &*hit;
        };
        // Without context behind it a hunk means the end of the file.
        const auto end = static_cast<int64_t>(lines_.size() - length);
        if (hunk.lines.back().kind != ' ' && line != end && at(end) != nullptr) {
            return nullptr;
        }
        return at(line);
    }

    int64_t line_number(size_t at) const
    {
        int64_t number = 0;
        for (size_t i = 0; i <= std::min(at, lines_.size() - 1); i++) {
            number = lines_[i].number != 0 ? lines_[i].number : number;
        }
        return std::max<int64_t>(number, 1);
    }

    void replace(const Hunk &hunk, const FoundLines &place, MatchLevel level, size_t head,
                 size_t tail)
    {
        HunkPlace told;
        told.header = hunk.header;
        told.line = lines_.empty() ? 1 : line_number(place.at);
        told.level = level;
        if (hunk.new_start && !lines_.empty()) {
            told.offset = static_cast<int64_t>(place.at + 1) - *hunk.new_start -
                          static_cast<int64_t>(head);
            is_straight_ = is_straight_ && *told.offset == 0;
        }
        result_.places.push_back(std::move(told));

        std::vector<FileLine> made;
        size_t next = place.at;
        const size_t end = hunk.lines.size() - tail;
        for (size_t i = head; i < end; i++) {
            const HunkLine &line = hunk.lines[i];
            if (line.kind == '+') {
                made.push_back({shifted(line.text, place.shift, level), 0, true});
            } else if (line.kind == ' ') {
                made.push_back(lines_[next++]);
            } else {
                next++;
            }
        }
        const auto begin = lines_.begin() + static_cast<ptrdiff_t>(place.at);
        const auto behind = lines_.begin() + static_cast<ptrdiff_t>(next);
        const bool at_end = behind == lines_.end();
        for (size_t i = 0; i < made.size(); i++) {
            if (!made[i].text.ends_with('\n') && !(at_end && i + 1 == made.size())) {
                made[i].text += ends_ == LineEnds::Dos ? "\r\n" : "\n";
            }
        }
        lines_.insert(lines_.erase(begin, behind), std::make_move_iterator(made.begin()),
                      std::make_move_iterator(made.end()));
    }

    // An added line as it suits the place.
    std::string shifted(const std::string &given, const IndentShift &shift,
                        MatchLevel level) const
    {
        std::string text = given;
        if (level == MatchLevel::Exact) {
            return text;
        }
        const bool dos = text.ends_with("\r\n");
        if (ends_ == LineEnds::Dos && !dos && text.ends_with('\n')) {
            text.insert(text.size() - 1, "\r");
        } else if (ends_ == LineEnds::Plain && dos) {
            text.erase(text.size() - 2, 1);
        }
        if (trim(text).empty()) {
            return text;
        }
        if (text.starts_with(shift.removed)) {
            text.erase(0, shift.removed.size());
        }
        return shift.added + text;
    }

    int fuzz_;
    std::vector<FileLine> lines_;
    LineEnds ends_ = LineEnds::Plain;
    PatchedText result_;
    bool is_straight_ = true; ///< every hunk so far was where it said
    int64_t shift_ = 0;       ///< lines the hunks so far have added
};

} // namespace

std::string_view match_level_name(MatchLevel level)
{
    switch (level) {
    case MatchLevel::Exact:
        return "exact";
    case MatchLevel::Blanks:
        return "blanks";
    case MatchLevel::Indent:
        return "indent";
    case MatchLevel::Context:
        return "context";
    }
    return "";
}

PatchedText patch_text(std::string_view text, const std::vector<Hunk> &hunks, int fuzz)
{
    Patcher patcher(text, fuzz);
    for (const Hunk &hunk : hunks) {
        patcher.put(hunk);
    }
    return patcher.result();
}

} // namespace ap
