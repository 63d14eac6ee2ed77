#include "domain/change_plan.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/change_limits.hh"
#include "domain/secret_rule.hh"

#include <algorithm>
#include <iterator>
#include <map>
#include <sys/stat.h>

namespace ap {

namespace {

bool is_binary(std::string_view bytes)
{
    return bytes.find('\0') != std::string_view::npos;
}

mode_t current_umask()
{
    // There is no other way to ask; the suite's tools have one thread.
    const mode_t mask = umask(022);
    umask(mask);
    return mask;
}

mode_t with_execute_bit(mode_t mode, bool executable)
{
    return executable ? mode | ((mode & 0444) >> 2) : mode & ~mode_t{0111};
}

// The two reasons for which a file of the patch comes to nothing: the rules forbid it, or
// the tree is not what the patch says of it.
class Refusal : public Error
{
public:
    explicit Refusal(const std::string &why)
        : Error(ExitStatus::NoPermission, why)
    {
    }
};
class Rejection : public Error
{
public:
    explicit Rejection(const std::string &why)
        : Error(ExitStatus::Failed, why)
    {
    }
};

class Planner
{
public:
    Planner(const Tree &tree, const Patch &patch, const ApplyRules &rules, int fuzz)
        : tree_(tree)
        , patch_(patch)
        , rules_(rules)
        , fuzz_(fuzz)
        , umask_(current_umask())
    {
    }

    ChangePlan plan()
    {
        for (const FilePatch &file : patch_.files) {
            if (!is_allowed(file)) {
                continue;
            }
            try {
                apply(file);
            } catch (const Refusal &refusal) {
                plan_.refused.push_back({file.path, refusal.what()});
            } catch (const Rejection &rejection) {
                reject(file, rejection.what());
            }
        }
        collect();
        for (auto refuse : {refuse_names, refuse_amount}) {
            std::vector<RefusedPath> refused = refuse(plan_, rules_);
            std::move(refused.begin(), refused.end(), std::back_inserter(plan_.refused));
        }
        return std::move(plan_);
    }

private:
    using State = std::optional<FileState>;

    struct Slot
    {
        State before;
        State now;
        int touched = 0; ///< by how many files of the patch
    };

    bool is_allowed(const FilePatch &file)
    {
        const bool moves = file.action == FileAction::Rename;
        const bool reads = file.action == FileAction::Copy;
        bool allowed = true;
        const auto check = [&](const std::string &path, bool anywhere) {
            ApplyRules rules = rules_;
            if (anywhere) {
                rules.scope.clear();
            }
            if (auto why = path_refusal(path, rules)) {
                plan_.refused.push_back({path, *why});
                allowed = false;
            }
        };
        check(file.path, false);
        if (moves || reads) {
            check(file.source, reads);
        }
        return allowed;
    }

    void reject(const FilePatch &file, const std::string &why)
    {
        HunkRejection rejection;
        rejection.line = file.line;
        rejection.why = why;
        plan_.rejected.push_back({file.path, std::move(rejection)});
    }

    // The file as the tree and the patch so far have it.
    Slot &slot(const std::string &path)
    {
        const auto found = slots_.find(path);
        if (found != slots_.end()) {
            return found->second;
        }
        Slot fresh;
        fresh.before = read(path);
        fresh.now = fresh.before;
        return slots_.emplace(path, std::move(fresh)).first->second;
    }

    Tree::Entry look(const std::string &path) const
    {
        try {
            return tree_.look(path);
        } catch (const SystemError &) {
            throw;
        } catch (const Error &error) {
            if (error.status() == ExitStatus::NoPermission) {
                throw Refusal("leads through a link or out of the tree");
            }
            throw Rejection(error.what());
        }
    }

    State read(const std::string &path) const
    {
        const Tree::Entry entry = look(path);
        switch (entry.kind) {
        case Tree::Kind::Nothing:
            return std::nullopt;
        case Tree::Kind::Directory:
            throw Rejection("is a directory");
        case Tree::Kind::Link:
            throw Refusal("is a link");
        case Tree::Kind::Other:
            throw Refusal("is no regular file");
        case Tree::Kind::File:
            break;
        }
        if (entry.size > rules_.largest_file) {
            throw Refusal(too_large());
        }
        return FileState{tree_.read(path, static_cast<size_t>(rules_.largest_file)),
                         entry.mode};
    }

    std::string too_large() const
    {
        return "is larger than " + std::to_string(rules_.largest_file) + " bytes";
    }

    // The permission bits the file is to have.
    mode_t mode_for(const FilePatch &file, const State &before) const
    {
        const mode_t wanted = file.mode.value_or(0);
        const mode_t type = wanted & S_IFMT;
        if (type == S_IFLNK || type == 0160000) {
            throw Refusal(type == S_IFLNK ? "would become a link"
                                          : "would become a submodule");
        }
        const mode_t bits = wanted & 07777;
        if (file.mode &&
            ((type != 0 && type != S_IFREG) ||
             (bits != 0644 && bits != 0755 && bits != 0664 && bits != 0775))) {
            throw Refusal("would get another mode than 644 or 755");
        }
        const bool executable = (bits & 0100) != 0;
        if (before) {
            return file.mode ? with_execute_bit(before->mode, executable) : before->mode;
        }
        return (executable ? mode_t{0755} : mode_t{0644}) & ~umask_;
    }

    void apply(const FilePatch &file)
    {
        if (file.binary && patch_.format == PatchFormat::Diff && !file.binary_change) {
            throw Refusal("is a binary diff without its bytes");
        }
        Slot &target = slot(file.path);
        AppliedFile applied;
        applied.action = file.action;
        applied.path = file.path;
        State made;
        switch (file.action) {
        case FileAction::Rename:
        case FileAction::Copy:
            made = moved(file, target, applied);
            break;
        case FileAction::Delete:
            remove(file, target, applied);
            break;
        case FileAction::Create:
            if (target.now) {
                throw Rejection("is there already");
            }
            [[fallthrough]];
        case FileAction::Write:
            made = FileState{file.binary_change ? changed(file, "") : file.content,
                             mode_for(file, target.now)};
            applied.lines =
                differing_lines(target.now ? target.now->bytes : "", made->bytes);
            break;
        case FileAction::Modify:
            made = modified(file, target.now, applied);
            if (!made) {
                return;
            }
            applied.action = target.now ? file.action : FileAction::Create;
            break;
        }
        if (made) {
            check_made(*made, target.now);
        }
        target.now = std::move(made);
        target.touched++;
        plan_.files.push_back(std::move(applied));
    }

    void check_made(const FileState &made, const State &before) const
    {
        if (static_cast<int64_t>(made.bytes.size()) > rules_.largest_file) {
            throw Refusal(too_large());
        }
        if (!rules_.allow_binary && is_binary(made.bytes)) {
            throw Refusal("is binary");
        }
        if (holds_secret(made.bytes) && !(before && holds_secret(before->bytes))) {
            throw Refusal("would hold what looks like a key");
        }
    }

    // Renames and copies start from the tree as it was, as in git's diffs, and for that
    // their files must not be touched otherwise.
    State moved(const FilePatch &file, const Slot &target, AppliedFile &applied)
    {
        if (file.source == file.path) {
            throw Rejection("is renamed to itself");
        }
        if (target.now) {
            throw Rejection("is there already");
        }
        Slot &source = slot(file.source);
        if (!source.before) {
            throw Rejection("'" + printable(file.source) + "' is not there");
        }
        if (target.touched != 0 ||
            (file.action == FileAction::Rename && source.touched != 0)) {
            throw Rejection("the change touches it, or what it comes from, twice");
        }
        applied.source = file.source;
        State made = modified(file, source.before, applied);
        if (made && !file.mode) {
            made->mode = source.before->mode;
        }
        if (!made) {
            throw Rejection("its hunks do not fit '" + printable(file.source) + "'");
        }
        if (file.action == FileAction::Rename) {
            source.now = std::nullopt;
            source.touched++;
        }
        return made;
    }

    void remove(const FilePatch &file, const Slot &target, AppliedFile &applied)
    {
        if (!target.now) {
            throw Rejection("is not there");
        }
        applied.lines.removed = static_cast<int64_t>(lines_of(target.now->bytes).size());
        if (file.hunks.empty()) {
            const std::string &bytes = target.now->bytes;
            if (patch_.format == PatchFormat::Diff && !bytes.empty() &&
                !(file.binary_change && changed(file, bytes).empty())) {
                throw Rejection("is not empty, as the change says");
            }
            return;
        }
        const PatchedText patched = patch_text(target.now->bytes, file.hunks, fuzz_);
        if (!note(file, patched)) {
            throw Rejection("is not what the change removes");
        }
        if (!patched.text.empty()) {
            throw Rejection("holds more than the change removes");
        }
    }

    // Nothing if hunks were rejected, which is noted then.
    State modified(const FilePatch &file, const State &before, AppliedFile &applied)
    {
        const bool has_old_lines =
            std::any_of(file.hunks.begin(), file.hunks.end(), [](const Hunk &hunk) {
                return (hunk.search && !hunk.search->empty()) ||
                       std::any_of(hunk.lines.begin(), hunk.lines.end(),
                                   [](const HunkLine &line) { return line.kind != '+'; });
            });
        if (!before && (has_old_lines || file.hunks.empty())) {
            throw Rejection("is not there");
        }
        if (before && !rules_.allow_binary && is_binary(before->bytes)) {
            throw Refusal("is binary");
        }
        if (file.binary_change) {
            FileState made{changed(file, before->bytes), mode_for(file, before)};
            applied.lines = differing_lines(before->bytes, made.bytes);
            return made;
        }
        PatchedText patched = patch_text(before ? before->bytes : "", file.hunks, fuzz_);
        if (!note(file, patched)) {
            return std::nullopt;
        }
        for (const Hunk &hunk : file.hunks) {
            for (const HunkLine &line : hunk.lines) {
                applied.lines.added += line.kind == '+';
                applied.lines.removed += line.kind == '-';
            }
        }
        applied.places = std::move(patched.places);
        return FileState{std::move(patched.text), mode_for(file, before)};
    }

    // What the binary diff makes of these bytes.
    std::string changed(const FilePatch &file, std::string_view before) const
    {
        try {
            return apply_binary_change(before, *file.binary_change, rules_.largest_file);
        } catch (const Error &error) {
            throw Rejection(error.what());
        }
    }

    bool note(const FilePatch &file, const PatchedText &patched)
    {
        for (const HunkRejection &rejection : patched.rejections) {
            plan_.rejected.push_back({file.path, rejection});
        }
        return patched.rejections.empty();
    }

    void collect()
    {
        for (auto &[path, slot] : slots_) {
            if (slot.before != slot.now) {
                plan_.changes.push_back(
                    {path, std::move(slot.before), std::move(slot.now)});
            }
        }
    }

    const Tree &tree_;
    const Patch &patch_;
    const ApplyRules &rules_;
    int fuzz_;
    mode_t umask_;
    std::map<std::string, Slot> slots_;
    ChangePlan plan_;
};

} // namespace

ChangePlan plan_change(const Tree &tree, const Patch &patch, const ApplyRules &rules,
                       int fuzz)
{
    return Planner(tree, patch, rules, fuzz).plan();
}

} // namespace ap
