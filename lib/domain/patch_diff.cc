#include "domain/patch_diff.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/patch_hunk.hh"
#include "domain/patch_names.hh"

#include <algorithm>
#include <utility>

namespace ap {

namespace {

using Lines = std::vector<std::string_view>;

constexpr std::string_view git_opening = "diff --git ";

// What the lines before a file's hunks say of it. Names are as they stand there.
struct FileHeader
{
    int line = 0;
    std::string old_name;
    std::string new_name;
    bool names_given = false; ///< by "---" and "+++", not by "diff --git" alone
    bool is_git = false;
    bool is_new = false;
    bool is_deleted = false;
    bool is_renamed = false;
    bool is_copied = false;
    bool is_binary = false;
    std::optional<BinaryChange> binary;
    std::string old_id; ///< of "index"
    std::string new_id;
    std::string moved_from; ///< "rename from", "copy from": without prefix
    std::string moved_to;
    std::optional<mode_t> old_mode;
    std::optional<mode_t> new_mode;
};

class DiffReader
{
public:
    DiffReader(std::string_view text, const PatchReading &reading)
        : lines_(lines_of(text))
        , reading_(reading)
    {
    }

    std::vector<FilePatch> read()
    {
        std::vector<FilePatch> files;
        while (at_ < lines_.size()) {
            if (lines_[at_].starts_with(git_opening)) {
                files.push_back(read_file(read_git_header()));
            } else if (is_plain_header(lines_, at_)) {
                files.push_back(read_file(read_plain_header()));
            } else if (lines_[at_].starts_with("@@ -")) {
                refuse(at_, "expected '--- FILE' and '+++ FILE' before a hunk");
            } else {
                at_++;
            }
        }
        return files;
    }

private:
    [[noreturn]] static void refuse(size_t line, const std::string &why)
    {
        throw Error(ExitStatus::BadData, "line " + std::to_string(line + 1) + ": " + why);
    }

    FileHeader read_plain_header()
    {
        FileHeader header;
        header.line = static_cast<int>(at_ + 1);
        take_names(header);
        return header;
    }

    void take_names(FileHeader &header)
    {
        header.old_name = diff_name(lines_[at_].substr(4));
        header.new_name = diff_name(lines_[at_ + 1].substr(4));
        header.names_given = true;
        at_ += 2;
    }

    FileHeader read_git_header()
    {
        FileHeader header;
        header.line = static_cast<int>(at_ + 1);
        header.is_git = true;
        if (auto names = git_names(lines_[at_].substr(git_opening.size()))) {
            header.old_name = std::move(names->first);
            header.new_name = std::move(names->second);
        }
        for (at_++; at_ < lines_.size() && take_extended(header); at_++) {
            if (lines_[at_].starts_with("GIT binary patch")) {
                at_++;
                header.binary = read_binary_change(lines_, at_);
                header.binary->old_id = header.old_id;
                header.binary->new_id = header.new_id;
                return header;
            }
        }
        if (at_ + 1 < lines_.size() && lines_[at_].starts_with("--- ") &&
            lines_[at_ + 1].starts_with("+++ ")) {
            const FileHeader before = header;
            take_names(header);
            check_same(before, header);
        }
        return header;
    }

    // The line "diff --git" and those below must speak of the same file.
    void check_same(const FileHeader &first, const FileHeader &second) const
    {
        const auto differs = [](const std::string &one, const std::string &other) {
            return !one.empty() && other != no_file && one != other;
        };
        if (differs(first.old_name, second.old_name) ||
            differs(first.new_name, second.new_name)) {
            refuse(at_ - 2, "expected the names of the line 'diff --git', got others");
        }
        // What is to become of the file is then said by one line alone, against the
        // other.
        if (first.old_name.empty() && second.new_name == no_file && !second.is_deleted) {
            refuse(at_ - 2, "expected 'deleted file mode' below a line 'diff --git' "
                            "without the file's name");
        }
    }

    bool take_extended(FileHeader &header) const
    {
        const std::string_view line = lines_[at_];
        const auto rest = [&](std::string_view opening) {
            return line.starts_with(opening) ? std::optional(line.substr(opening.size()))
                                             : std::nullopt;
        };
        if (const auto mode = rest("old mode ")) {
            header.old_mode = mode_of(*mode);
        } else if (const auto new_mode = rest("new mode ")) {
            header.new_mode = mode_of(*new_mode);
        } else if (const auto deleted = rest("deleted file mode ")) {
            header.is_deleted = true;
            header.old_mode = mode_of(*deleted);
        } else if (const auto made = rest("new file mode ")) {
            header.is_new = true;
            header.new_mode = mode_of(*made);
        } else if (const auto renamed = rest("rename from ")) {
            header.is_renamed = true;
            header.moved_from = diff_name(*renamed);
        } else if (const auto renamed_to = rest("rename to ")) {
            header.is_renamed = true;
            header.moved_to = diff_name(*renamed_to);
        } else if (const auto copied = rest("copy from ")) {
            header.is_copied = true;
            header.moved_from = diff_name(*copied);
        } else if (const auto copied_to = rest("copy to ")) {
            header.is_copied = true;
            header.moved_to = diff_name(*copied_to);
        } else if (const auto ids = rest("index ")) {
            take_ids(header, *ids);
        } else if (rest("GIT binary patch") || rest("Binary files ")) {
            header.is_binary = true;
        } else {
            return rest("similarity index ") || rest("dissimilarity index ");
        }
        return true;
    }

    static void take_ids(FileHeader &header, std::string_view text)
    {
        text = trim(text);
        const size_t dots = text.find("..");
        if (dots != std::string_view::npos) {
            const std::string_view second = text.substr(dots + 2);
            header.old_id = text.substr(0, dots);
            header.new_id = second.substr(0, second.find(' '));
        }
    }

    mode_t mode_of(std::string_view text) const
    {
        text = trim(text);
        if (text.empty() || text.size() > 6 ||
            text.find_first_not_of("01234567") != std::string_view::npos) {
            refuse(at_,
                   "expected a mode such as 100644, got '" + printable(text, 40) + "'");
        }
        mode_t mode = 0;
        for (const char digit : text) {
            mode = mode * 8 + static_cast<mode_t>(digit - '0');
        }
        return mode;
    }

    // A header alone is what is left where the lines below it were garbled.
    static bool says_something(const FileHeader &header)
    {
        return header.is_new || header.is_deleted || header.is_renamed ||
               header.is_copied || header.is_binary || header.old_mode || header.new_mode;
    }

    FilePatch read_file(FileHeader header)
    {
        std::vector<Hunk> hunks;
        while (!header.binary && at_ < lines_.size() && lines_[at_].starts_with("@@")) {
            hunks.push_back(read_hunk(lines_, at_));
        }
        if (hunks.empty() && !says_something(header)) {
            refuse(static_cast<size_t>(header.line - 1),
                   "expected a change of the file below its name, got none");
        }
        if (reading_.reverse) {
            reverse(header, hunks);
        }
        FilePatch file;
        file.line = header.line;
        file.binary = header.is_binary;
        file.binary_change = std::move(header.binary);
        file.mode = header.new_mode;
        name(file, header);
        finish(file, std::move(hunks));
        return file;
    }

    static void reverse(FileHeader &header, std::vector<Hunk> &hunks)
    {
        std::swap(header.old_name, header.new_name);
        std::swap(header.is_new, header.is_deleted);
        std::swap(header.moved_from, header.moved_to);
        std::swap(header.old_mode, header.new_mode);
        if (header.is_copied) {
            refuse(static_cast<size_t>(header.line - 1), "a copy cannot be reversed");
        }
        if (header.binary) {
            reverse_binary_change(*header.binary);
        }
        for (Hunk &hunk : hunks) {
            std::swap(hunk.old_start, hunk.new_start);
            for (HunkLine &line : hunk.lines) {
                line.kind = line.kind == '+' ? '-' : line.kind == '-' ? '+' : ' ';
            }
        }
    }

    std::string stripped(const std::string &name, int count, int line) const
    {
        const auto rest = strip_name(name, count);
        if (!rest || rest->empty()) {
            refuse(static_cast<size_t>(line - 1),
                   "expected a path with more than " + std::to_string(count) +
                       " pieces, got '" + printable(name, 100) + "'");
        }
        return *rest;
    }

    void name(FilePatch &file, const FileHeader &header) const
    {
        const int strip =
            reading_.strip.value_or(prefix_of(header.old_name, header.new_name));
        if (header.is_renamed || header.is_copied) {
            const int less = reading_.strip ? std::max(0, strip - 1) : 0;
            file.action = header.is_renamed ? FileAction::Rename : FileAction::Copy;
            file.source = stripped(header.moved_from, less, header.line);
            file.path = stripped(header.moved_to, less, header.line);
            return;
        }
        if (header.is_new || header.old_name == no_file) {
            file.action = FileAction::Create;
            file.path = stripped(header.new_name, strip, header.line);
        } else if (header.is_deleted || header.new_name == no_file) {
            file.action = FileAction::Delete;
            file.path = stripped(header.old_name, strip, header.line);
        } else {
            file.path = common_name(header, strip);
        }
        if (file.path == no_file || file.path == no_file.substr(1)) {
            refuse(static_cast<size_t>(header.line - 1), "the file has no name");
        }
    }

    // Of "x.orig" and "x" it is the shorter that is meant, as for git and patch.
    std::string common_name(const FileHeader &header, int strip) const
    {
        const std::string first = stripped(header.old_name, strip, header.line);
        const std::string second = stripped(header.new_name, strip, header.line);
        if (first != second && (header.is_git || (!first.starts_with(second) &&
                                                  !second.starts_with(first)))) {
            refuse(static_cast<size_t>(header.line - 1),
                   "two names, '" + printable(first, 80) + "' and '" +
                       printable(second, 80) +
                       "': a file is renamed by 'rename from' and 'rename to'");
        }
        return first.size() < second.size() ? first : second;
    }

    static void finish(FilePatch &file, std::vector<Hunk> hunks)
    {
        const auto has_other = [&](char kind) {
            return hunks.size() > 1 ||
                   std::any_of(hunks.begin(), hunks.end(), [&](const Hunk &hunk) {
                       return std::any_of(
                           hunk.lines.begin(), hunk.lines.end(),
                           [&](const HunkLine &line) { return line.kind != kind; });
                   });
        };
        const auto line = static_cast<size_t>(file.line - 1);
        if (file.action == FileAction::Create) {
            if (has_other('+')) {
                refuse(line, "a new file has one hunk, with added lines only");
            }
            for (const Hunk &hunk : hunks) {
                for (const HunkLine &added : hunk.lines) {
                    file.content += added.text;
                }
            }
            return;
        }
        if (file.action == FileAction::Delete && has_other('-')) {
            refuse(line, "a removed file has one hunk, with removed lines only");
        }
        file.hunks = std::move(hunks);
    }

    Lines lines_;
    const PatchReading &reading_;
    size_t at_ = 0;
};

} // namespace

bool is_diff_line(const std::vector<std::string_view> &lines, size_t at)
{
    return lines[at].starts_with(git_opening) || is_plain_header(lines, at);
}

std::vector<FilePatch> parse_diff(std::string_view text, const PatchReading &reading)
{
    return DiffReader(text, reading).read();
}

} // namespace ap
