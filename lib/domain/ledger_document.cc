#include "domain/ledger_document.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/sha256.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr std::string_view index_begin = "<!-- ap-ledger index -->";
constexpr std::string_view index_end = "<!-- end of ap-ledger index -->";
constexpr size_t id_length = 14;
constexpr size_t date_length = 24;

std::string_view without_newline(std::string_view line)
{
    return line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
}

bool is_id(std::string_view text)
{
    const bool known =
        text.size() == id_length &&
        std::any_of(std::begin(ledger_documents), std::end(ledger_documents),
                    [&](const auto &document) { return document.letter == text[0]; });
    return known && text[1] == '-' &&
           text.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

// The id, date and title of an entry's heading; nothing for any other line.
std::optional<LedgerEntry> read_heading(std::string_view line)
{
    constexpr size_t date_at = 3 + id_length + 1;
    constexpr size_t title_at = date_at + date_length + 1;
    line = without_newline(line);
    if (!line.starts_with("## ") || line.size() <= title_at || line[date_at - 1] != ' ' ||
        line[title_at - 1] != ' ' || !is_id(line.substr(3, id_length))) {
        return std::nullopt;
    }
    const auto at = parse_rfc3339(line.substr(date_at, date_length));
    if (!at) {
        return std::nullopt;
    }
    LedgerEntry entry;
    entry.id = line.substr(3, id_length);
    entry.at = *at;
    entry.title = line.substr(title_at);
    return entry;
}

std::string end_of(std::string_view id)
{
    return "<!-- end " + std::string(id) + " -->";
}

std::string_view without_blank_lines(std::string_view text)
{
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    while (!text.empty()) {
        const size_t newline = text.find('\n');
        if (newline == std::string_view::npos || !trim(text.substr(0, newline)).empty()) {
            break;
        }
        text.remove_prefix(newline + 1);
    }
    return text;
}

bool is_special(std::string_view line)
{
    const std::string_view bare = without_newline(line);
    return read_heading(line) || bare.starts_with("<!-- end ") || bare == index_begin ||
           bare == index_end || bare.starts_with("<<<<<<<") ||
           bare.starts_with("|||||||") || bare.starts_with("=======") ||
           bare.starts_with(">>>>>>>");
}

// "Run: RUN" or "Run: RUN, phase: PHASE"; empty without a run.
std::string subject_line(const LedgerEntry &entry)
{
    return entry.run.empty()
               ? std::string()
               : "Run: " + entry.run +
                     (entry.phase.empty() ? "" : ", phase: " + entry.phase) + "\n\n";
}

// Takes the subject line off the entry's body, if it begins with one.
void take_subject(LedgerEntry &entry)
{
    const std::string line = entry.body.substr(0, entry.body.find('\n'));
    if (!line.starts_with("Run: ")) {
        return;
    }
    const size_t comma = line.find(", phase: ");
    LedgerEntry subject;
    subject.run = line.substr(5, comma == std::string::npos ? comma : comma - 5);
    subject.phase = comma == std::string::npos ? "" : line.substr(comma + 9);
    if (is_identifier(subject.run) &&
        (comma == std::string::npos || is_identifier(subject.phase))) {
        entry.run = subject.run;
        entry.phase = subject.phase;
        entry.body =
            without_blank_lines(std::string_view(entry.body).substr(line.size()));
    }
}

class Parser
{
public:
    explicit Parser(std::string_view text)
        : lines_(lines_of(text))
    {
        result_.lines = static_cast<int64_t>(lines_.size());
    }

    LedgerText parse()
    {
        size_t at = 0;
        while (at < lines_.size()) {
            if (const auto entry = read_heading(lines_[at])) {
                end_free_text();
                at = take_entry(at, *entry);
            } else if (const size_t end = end_of_index(at); end > at) {
                result_.has_index = true;
                at = end;
            } else {
                take_free_line(at++);
            }
        }
        end_free_text();
        return std::move(result_);
    }

private:
    size_t take_entry(size_t begin, LedgerEntry entry)
    {
        const std::string last = end_of(entry.id);
        size_t end = begin + 1;
        while (end < lines_.size() && without_newline(lines_[end]) != last &&
               !read_heading(lines_[end])) {
            end++;
        }
        LedgerPiece piece;
        piece.line = static_cast<int64_t>(begin) + 1;
        piece.is_whole = end < lines_.size() && without_newline(lines_[end]) == last;
        for (size_t line = begin + 1; line < end; line++) {
            entry.body += lines_[line];
        }
        entry.body = std::string(without_blank_lines(entry.body));
        end += piece.is_whole ? 1 : 0;
        for (size_t line = begin; line < end; line++) {
            piece.text += lines_[line];
        }
        if (!piece.text.ends_with('\n')) {
            piece.text += '\n';
        }
        take_subject(entry);
        last_date_ = entry.at;
        piece.entry = std::move(entry);
        result_.pieces.push_back(std::move(piece));
        return end;
    }

    // Where the index that begins at `at` ends; `at` if none does.
    size_t end_of_index(size_t at) const
    {
        if (without_newline(lines_[at]) != index_begin) {
            return at;
        }
        for (size_t line = at + 1; line < lines_.size(); line++) {
            if (read_heading(lines_[line])) {
                break;
            }
            if (without_newline(lines_[line]) == index_end) {
                return line + 1;
            }
        }
        return at;
    }

    // A "## " heading begins a piece of its own, but not in a block of code.
    void take_free_line(size_t at)
    {
        const std::string_view line = lines_[at];
        if (line.starts_with("```") || line.starts_with("~~~")) {
            in_code_ = !in_code_;
        }
        const bool begins = line.starts_with("## ") && !in_code_;
        if (begins) {
            end_free_text();
        }
        if (!begins && result_.pieces.empty() && !free_) {
            result_.head += line;
            return;
        }
        if (!free_) {
            if (trim(line).empty()) {
                return;
            }
            free_.emplace();
            free_->line = static_cast<int64_t>(at) + 1;
            free_->after = last_date_;
        }
        free_->text += line;
    }

    void end_free_text()
    {
        if (free_) {
            free_->text = std::string(without_blank_lines(free_->text)) + "\n";
            result_.pieces.push_back(std::move(*free_));
        }
        free_.reset();
        in_code_ = false;
    }

    std::vector<std::string_view> lines_;
    LedgerText result_;
    std::optional<LedgerPiece> free_;
    UnixMs last_date_ = 0;
    bool in_code_ = false;
};

std::string index_of(const std::vector<std::string> &entries)
{
    std::string text =
        std::string(index_begin) + "\n| Date | Entry | Title |\n|---|---|---|\n";
    for (const std::string &entry : entries) {
        const auto heading = read_heading(entry.substr(0, entry.find('\n')));
        if (!heading) {
            continue;
        }
        std::string title;
        for (const char letter : heading->title) {
            title.append(letter == '|' ? "\\" : "").append(1, letter);
        }
        text += "| " + format_rfc3339(heading->at).substr(0, 10) + " | " + heading->id +
                " | " + title + " |\n";
    }
    return text + std::string(index_end) + "\n";
}

} // namespace

const LedgerDocument &document_of(std::string_view id)
{
    const auto document =
        std::find_if(std::begin(ledger_documents), std::end(ledger_documents),
                     [&](const auto &one) { return id.starts_with(one.letter); });
    if (document == std::end(ledger_documents)) {
        throw Error(ExitStatus::BadData,
                    "no document has entries like '" + printable(id) + "'");
    }
    return *document;
}

const LedgerDocument &ledger_document(std::string_view name)
{
    for (const LedgerDocument &document : ledger_documents) {
        if (document.name == name) {
            return document;
        }
    }
    throw UsageError("expected build, debug or decision, got '" + printable(name) + "'");
}

std::string LedgerEntry::text() const
{
    return "## " + id + " " + format_rfc3339(at) + " " + title + "\n\n" +
           subject_line(*this) + body + (body.empty() ? "" : "\n\n") + end_of(id) + "\n";
}

void give_id(LedgerEntry &entry, const LedgerDocument &document)
{
    entry.id = std::string(1, document.letter) + "-";
    entry.id += to_hex(sha256(entry.text())).substr(0, id_length - 2);
}

std::string quoted_body(std::string_view body)
{
    std::string text;
    for (const std::string_view line : lines_of(without_blank_lines(body))) {
        text.append(is_special(line) ? "\\" : "").append(line);
    }
    return text;
}

LedgerText parse_ledger(std::string_view text)
{
    return Parser(text).parse();
}

std::string render_ledger(std::string_view head, const std::vector<std::string> &entries)
{
    std::string text(without_blank_lines(head));
    text += text.empty() ? "" : "\n\n";
    text += index_of(entries);
    for (const std::string &entry : entries) {
        text += "\n" + entry;
    }
    return text;
}

std::string new_head(const LedgerDocument &document)
{
    return "# " + std::string(document.title) +
           "\n\nEntries are only ever added: see ap-ledger(1).\n";
}

} // namespace ap
