#include "domain/patch_hunk.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

using Lines = std::vector<std::string_view>;

constexpr int64_t most_lines = 1'000'000'000;

struct Range
{
    int64_t start;
    int64_t count;
};

// "12,3" or "12", which stands for "12,1".
std::optional<Range> parse_range(std::string_view text)
{
    const size_t comma = text.find(',');
    const auto start = parse_integer(text.substr(0, comma), 0, most_lines);
    const auto count = comma == std::string_view::npos
                           ? std::optional<int64_t>(1)
                           : parse_integer(text.substr(comma + 1), 0, most_lines);
    return start && count ? std::optional(Range{*start, *count}) : std::nullopt;
}

struct Header
{
    Range before;
    Range after;
};

std::optional<Header> parse_header(std::string_view line)
{
    constexpr std::string_view opening = "@@ -";
    if (!line.starts_with(opening)) {
        return std::nullopt;
    }
    line.remove_prefix(opening.size());
    const size_t space = line.find(" +");
    const size_t end = line.find(" @@");
    if (space == std::string_view::npos || end == std::string_view::npos || end < space) {
        return std::nullopt;
    }
    const auto before = parse_range(line.substr(0, space));
    const auto after = parse_range(line.substr(space + 2, end - space - 2));
    return before && after ? std::optional(Header{*before, *after}) : std::nullopt;
}

bool is_blank(std::string_view line)
{
    return line == "\n" || line == "\r\n";
}

bool begins_as_hunk_line(std::string_view line)
{
    return line.starts_with(' ') || line.starts_with('+') || line.starts_with('-');
}

bool ends_hunk(const Lines &lines, size_t at)
{
    return at >= lines.size() || trim(lines[at]) == "--" || is_plain_header(lines, at) ||
           !(begins_as_hunk_line(lines[at]) || lines[at].starts_with('\\'));
}

void add_line(Hunk &hunk, std::string_view line)
{
    if (line.starts_with('\\')) {
        if (!hunk.lines.empty() && hunk.lines.back().text.ends_with('\n')) {
            hunk.lines.back().text.pop_back();
        }
        return;
    }
    // A context line that is empty has often lost its blank.
    const bool bare = is_blank(line);
    std::string text(bare ? line : line.substr(1));
    if (!text.ends_with('\n')) {
        text += '\n';
    }
    hunk.lines.push_back({bare ? ' ' : line.front(), text});
}

// Exactly the lines that the header counts; nothing if they are not there, or go on.
std::optional<Hunk> read_counted(const Lines &lines, size_t &at, const Header &header)
{
    Hunk hunk;
    int64_t before = header.before.count;
    int64_t after = header.after.count;
    size_t next = at + 1;
    for (; next < lines.size() && (before > 0 || after > 0); next++) {
        const std::string_view line = lines[next];
        if (!begins_as_hunk_line(line) && !is_blank(line) && !line.starts_with('\\')) {
            return std::nullopt;
        }
        if (!line.starts_with('\\')) {
            before -= line.front() != '+';
            after -= line.front() != '-';
        }
        add_line(hunk, line);
    }
    if (before != 0 || after != 0) {
        return std::nullopt;
    }
    if (next < lines.size() && lines[next].starts_with('\\')) {
        add_line(hunk, lines[next++]);
    }
    if (!ends_hunk(lines, next)) {
        return std::nullopt;
    }
    at = next;
    return hunk;
}

// The lines up to the next that is none; empty ones count if there are more behind them.
Hunk read_uncounted(const Lines &lines, size_t &at)
{
    Hunk hunk;
    size_t end = at + 1;
    for (size_t next = end; next < lines.size(); next++) {
        if (is_blank(lines[next])) {
            continue;
        }
        if (ends_hunk(lines, next)) {
            break;
        }
        end = next + 1;
    }
    for (size_t next = at + 1; next < end; next++) {
        add_line(hunk, lines[next]);
    }
    at = end;
    return hunk;
}

int64_t count_of(const Hunk &hunk, char other)
{
    return std::count_if(hunk.lines.begin(), hunk.lines.end(),
                         [&](const HunkLine &line) { return line.kind != other; });
}

[[noreturn]] void refuse(size_t line, const std::string &why)
{
    throw Error(ExitStatus::BadData, "line " + std::to_string(line + 1) + ": " + why);
}

void check_whole(const Lines &lines, size_t begin, size_t end, const Header &header,
                 const Hunk &hunk)
{
    const int64_t before = count_of(hunk, '+');
    const int64_t after = count_of(hunk, '-');
    const bool at_end =
        std::all_of(lines.begin() + static_cast<ptrdiff_t>(end), lines.end(), is_blank);
    if (at_end && (before < header.before.count || after < header.after.count)) {
        refuse(begin, "the hunk is cut off: expected " +
                          std::to_string(header.before.count) + " old and " +
                          std::to_string(header.after.count) + " new lines, got " +
                          std::to_string(before) + " and " + std::to_string(after));
    }
}

// A file's last line without a newline is the last of its side.
void check_ends(const Hunk &hunk, size_t begin)
{
    bool old_ended = false;
    bool new_ended = false;
    for (const HunkLine &line : hunk.lines) {
        if ((old_ended && line.kind != '+') || (new_ended && line.kind != '-')) {
            refuse(begin, "the hunk goes on after '\\ No newline at end of file'");
        }
        if (!line.text.ends_with('\n')) {
            old_ended = old_ended || line.kind != '+';
            new_ended = new_ended || line.kind != '-';
        }
    }
}

} // namespace

bool is_hunk_header(std::string_view line)
{
    return parse_header(line) || trim(line) == "@@" ||
           (line.starts_with("@@ ") && !line.starts_with("@@ -"));
}

bool is_plain_header(const Lines &lines, size_t at)
{
    return at + 2 < lines.size() && lines[at].starts_with("--- ") &&
           lines[at + 1].starts_with("+++ ") && lines[at + 2].starts_with("@@");
}

Hunk read_hunk(const Lines &lines, size_t &at)
{
    const size_t begin = at;
    const auto header = parse_header(lines[at]);
    if (!header && !is_hunk_header(lines[at])) {
        refuse(begin, "expected '@@ -LINE,COUNT +LINE,COUNT @@', got '" +
                          printable(trim(lines[begin]), 60) + "'");
    }
    Hunk hunk;
    if (auto counted = header ? read_counted(lines, at, *header) : std::nullopt) {
        hunk = std::move(*counted);
    } else {
        hunk = read_uncounted(lines, at);
        if (header) {
            check_whole(lines, begin, at, *header, hunk);
        }
    }
    if (hunk.lines.empty()) {
        refuse(begin, "the hunk has no lines");
    }
    if (at == lines.size() && !lines.back().ends_with('\n') &&
        lines.back().starts_with('+')) {
        refuse(at - 1, "the input ends within a line");
    }
    check_ends(hunk, begin);
    hunk.line = static_cast<int>(begin + 1);
    hunk.header = std::string(trim(lines[begin]));
    if (header) {
        hunk.old_start = header->before.start;
        hunk.new_start = header->after.start;
    }
    return hunk;
}

} // namespace ap
