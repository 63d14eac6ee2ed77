#include "domain/patch_blocks.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <utility>

namespace ap {

namespace {

using Lines = std::vector<std::string_view>;

constexpr size_t shortest_marker = 7;
constexpr size_t shortest_fence = 3;

size_t run_length(std::string_view line, char character)
{
    return std::min(line.find_first_not_of(character), line.size());
}

std::string_view without_trailing_blanks(std::string_view line)
{
    const size_t last = line.find_last_not_of(" \t\r\n");
    return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The length of the marker that begins a block; 0 if the line begins none.
size_t search_marker(std::string_view line)
{
    line = without_trailing_blanks(line);
    const size_t length = run_length(line, '<');
    return length >= shortest_marker && line.substr(length) == " SEARCH" ? length : 0;
}

bool is_divider(std::string_view line, size_t length)
{
    line = without_trailing_blanks(line);
    return line.size() == length && run_length(line, '=') == length;
}

bool is_replace_marker(std::string_view line, size_t length)
{
    line = without_trailing_blanks(line);
    return run_length(line, '>') == length && line.substr(length) == " REPLACE";
}

struct Fence
{
    char character = '`';
    size_t length = 0;
};

// A line that opens a fenced block, as in Markdown; nothing for any other.
std::optional<Fence> opening_fence(std::string_view line)
{
    for (const char character : {'`', '~'}) {
        const size_t length = run_length(line, character);
        if (length >= shortest_fence &&
            line.substr(length).find(character) == std::string_view::npos) {
            return Fence{character, length};
        }
    }
    return std::nullopt;
}

bool closes(std::string_view line, const Fence &fence)
{
    line = without_trailing_blanks(line);
    const size_t length = run_length(line, fence.character);
    return length == line.size() && length >= fence.length;
}

// A path as models decorate it: "**src/a.c**", "### `src/a.c`:".
std::string_view undecorated(std::string_view text)
{
    constexpr std::string_view decoration = "#*`: \t\r\n";
    const size_t first = text.find_first_not_of(decoration);
    const size_t last = text.find_last_not_of(decoration);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, last - first + 1);
}

// What follows a keyword such as "FILE:"; nothing if the line has it not.
std::optional<std::string_view> after_keyword(std::string_view line,
                                              std::string_view keyword)
{
    const size_t first = line.starts_with(' ') ? 0 : line.find_first_not_of("#* ");
    if (first == std::string_view::npos || !line.substr(first).starts_with(keyword)) {
        return std::nullopt;
    }
    return undecorated(line.substr(first + keyword.size()));
}

constexpr std::string_view file_keyword = "FILE:";
constexpr std::string_view delete_keyword = "DELETE:";

// The next line that is not blank.
size_t next_line(const Lines &lines, size_t at)
{
    while (at < lines.size() && trim(lines[at]).empty()) {
        at++;
    }
    return at;
}

// Whether a fence says that it holds a diff, of which the file is not to consist.
bool holds_diff(std::string_view line, std::string_view path)
{
    const auto fence = opening_fence(line);
    const std::string_view kind = fence ? trim(line.substr(fence->length)) : "";
    return (kind == "diff" || kind == "patch") && !path.ends_with(".diff") &&
           !path.ends_with(".patch");
}

// Both sides of a block as a hunk: what they have in common at their ends is context.
Hunk hunk_of(const Lines &search, const Lines &replace)
{
    const size_t shorter = std::min(search.size(), replace.size());
    size_t head = 0;
    while (head < shorter && search[head] == replace[head]) {
        head++;
    }
    size_t tail = 0;
    while (tail < shorter - head &&
           search[search.size() - 1 - tail] == replace[replace.size() - 1 - tail]) {
        tail++;
    }
    Hunk hunk;
    const auto add = [&](char kind, const Lines &lines, size_t begin, size_t end) {
        for (size_t i = begin; i < end; i++) {
            hunk.lines.push_back({kind, std::string(lines[i])});
        }
    };
    add(' ', search, 0, head);
    add('-', search, head, search.size() - tail);
    add('+', replace, head, replace.size() - tail);
    add(' ', search, search.size() - tail, search.size());
    return hunk;
}

class BlockReader
{
public:
    explicit BlockReader(std::string_view text)
        : lines_(lines_of(text))
    {
    }

    std::vector<FilePatch> read()
    {
        while (at_ < lines_.size()) {
            if (search_marker(lines_[at_]) != 0) {
                read_edit();
            } else if (const auto path = after_keyword(lines_[at_], file_keyword)) {
                read_file(std::string(*path));
            } else if (const auto gone = after_keyword(lines_[at_], delete_keyword)) {
                add(FileAction::Delete, std::string(*gone));
                at_++;
            } else {
                at_++;
            }
        }
        return std::move(files_);
    }

private:
    [[noreturn]] static void refuse(size_t line, const std::string &why)
    {
        throw Error(ExitStatus::BadData, "line " + std::to_string(line + 1) + ": " + why);
    }

    FilePatch &add(FileAction action, const std::string &path)
    {
        if (path.empty()) {
            refuse(at_, "expected a path, got nothing");
        }
        FilePatch file;
        file.line = static_cast<int>(at_ + 1);
        file.action = action;
        file.path = path;
        files_.push_back(std::move(file));
        return files_.back();
    }

    // "FILE: PATH" and a fence; without a fence it may name the file of edits.
    void read_file(const std::string &path)
    {
        const size_t next = next_line(lines_, at_ + 1);
        const auto fence =
            next < lines_.size() ? opening_fence(lines_[next]) : std::nullopt;
        if (!fence ||
            (next + 1 < lines_.size() && search_marker(lines_[next + 1]) != 0)) {
            if (next >= lines_.size() || (!fence && search_marker(lines_[next]) == 0)) {
                refuse(at_, "expected a fenced block after 'FILE: PATH'");
            }
            named_ = path;
            at_ = next + (fence ? 1 : 0);
            return;
        }
        if (holds_diff(lines_[next], path)) {
            refuse(next, "expected the whole file, got a diff");
        }
        FilePatch &file = add(FileAction::Write, path);
        for (at_ = next + 1; at_ < lines_.size(); at_++) {
            if (closes(lines_[at_], *fence)) {
                at_++;
                return;
            }
            file.content += lines_[at_];
        }
        refuse(next, "the fenced block of '" + printable(path, 100) + "' does not end");
    }

    // The nearest line above that is neither blank nor a fence, down to the last block.
    std::string path_above()
    {
        if (!named_.empty()) {
            return std::exchange(named_, {});
        }
        for (size_t above = at_; above > last_end_; above--) {
            const std::string_view line = lines_[above - 1];
            if (trim(line).empty() || opening_fence(line)) {
                continue;
            }
            std::string path(undecorated(line));
            if (path.empty() || path.find(' ') != std::string::npos) {
                refuse(at_,
                       "expected the file's path on the line before the block, got '" +
                           printable(trim(line), 80) + "'");
            }
            return path;
        }
        if (last_path_.empty()) {
            refuse(at_, "expected the file's path on the line before the block");
        }
        return last_path_;
    }

    void read_edit()
    {
        const size_t begin = at_;
        const size_t length = search_marker(lines_[at_]);
        last_path_ = path_above();
        at_++;
        const Lines search = read_until(begin, length, false);
        const Lines replace = read_until(begin, length, true);
        last_end_ = at_;
        Hunk hunk = hunk_of(search, replace);
        hunk.line = static_cast<int>(begin + 1);
        hunk.header = "SEARCH of line " + std::to_string(begin + 1);
        if (files_.empty() || files_.back().action != FileAction::Modify ||
            files_.back().path != last_path_) {
            FilePatch &file = add(FileAction::Modify, last_path_);
            file.line = hunk.line;
        }
        if (!hunk.lines.empty()) {
            files_.back().hunks.push_back(std::move(hunk));
        }
    }

    Lines read_until(size_t begin, size_t length, bool in_replace)
    {
        Lines taken;
        for (; at_ < lines_.size(); at_++) {
            const std::string_view line = lines_[at_];
            const bool divider = is_divider(line, length);
            const bool end = is_replace_marker(line, length);
            if (in_replace ? end : divider) {
                at_++;
                return taken;
            }
            if (divider || end || search_marker(line) == length) {
                refuse(at_,
                       "expected the block's " +
                           std::string(in_replace ? "'>>>>>>> REPLACE'" : "'======='") +
                           ", got '" + printable(trim(line), 40) +
                           "'; text that has such lines needs longer markers");
            }
            taken.push_back(line);
        }
        refuse(begin, "the block does not end");
    }

    Lines lines_;
    size_t at_ = 0;
    std::vector<FilePatch> files_;
    std::string named_;     ///< by "FILE:", for the next block
    std::string last_path_; ///< of the block before
    size_t last_end_ = 0;   ///< the line behind it
};

} // namespace

bool is_search_line(std::string_view line)
{
    return search_marker(line) != 0;
}

bool is_file_line(const std::vector<std::string_view> &lines, size_t at)
{
    if (after_keyword(lines[at], delete_keyword)) {
        return true;
    }
    const auto path = after_keyword(lines[at], file_keyword);
    const size_t next = next_line(lines, at + 1);
    return path && next < lines.size() && !holds_diff(lines[next], *path);
}

std::vector<FilePatch> parse_blocks(std::string_view text)
{
    return BlockReader(text).read();
}

} // namespace ap
