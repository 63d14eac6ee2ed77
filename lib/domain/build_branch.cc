#include "domain/build_branch.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/git_lock.hh"
#include "domain/worktree.hh"

#include <utility>

namespace ap {

namespace {

constexpr size_t longest_subject = 72;

std::string git_line(const std::string &directory, const std::vector<std::string> &words)
{
    return std::string(trim(run_git(directory, words)));
}

std::string head_of(const std::string &directory)
{
    try {
        return git_line(directory, {"rev-parse", "--verify", "HEAD^{commit}"});
    } catch (const Error &error) {
        if (error.status() != ExitStatus::Failed) {
            throw;
        }
        throw Error(ExitStatus::NoInput,
                    "'" + directory + "': expected a commit to begin at, got none");
    }
}

[[noreturn]] void leave(const std::string &branch, const std::string &why)
{
    throw Error(ExitStatus::Failed, why + "; branch " + branch + " is left unmerged");
}

} // namespace

std::string repository_top(const std::string &directory)
{
    try {
        return git_line(directory, {"rev-parse", "--show-toplevel"});
    } catch (const Error &error) {
        if (error.status() != ExitStatus::Failed) {
            throw;
        }
        throw Error(ExitStatus::NoInput, "'" + directory + "' is in no git repository");
    }
}

BuildBranch::BuildBranch(const std::string &directory, std::string_view run_id)
    : top_(repository_top(directory))
    , name_("autopack/" + std::string(run_id))
{
}

std::string BuildBranch::git(const std::vector<std::string> &words) const
{
    return git_line(top_, words);
}

bool BuildBranch::exists(const std::string &reference) const
{
    return !git({"for-each-ref", "--format=x", reference}).empty();
}

void BuildBranch::clear_lock() const
{
    clear_stale_lock(top_, "refs/heads/" + name_);
}

std::string BuildBranch::tip()
{
    const std::string reference = "refs/heads/" + name_;
    if (!exists(reference)) {
        const std::string head = head_of(top_);
        const std::string base = git({"branch", "--show-current"});
        if (!base.empty()) {
            git({"config", "branch." + name_ + ".autopackBase", base});
        }
        try {
            // The old value of zeros: only if nobody else has made it meanwhile.
            git({"update-ref", reference, head, std::string(40, '0')});
        } catch (const Error &) {
            if (!exists(reference)) {
                throw;
            }
        }
    }
    return git({"rev-parse", "--verify", reference + "^{commit}"});
}

std::string BuildBranch::base() const
{
    return git({"config", "--default", "", "--get", "branch." + name_ + ".autopackBase"});
}

std::string BuildBranch::make_commit(const std::string &tree,
                                     const std::vector<std::string> &parents,
                                     const std::string &message) const
{
    std::vector<std::string> words;
    for (const auto &[key, value] : {std::pair("user.name", "Autopack"),
                                     std::pair("user.email", "autopack@localhost")}) {
        const std::string own = git({"config", "--default", value, "--get", key});
        words.insert(words.end(), {"-c", std::string(key) + "=" + own});
    }
    words.insert(words.end(), {"commit-tree", "--no-gpg-sign", tree, "-m", message});
    for (const std::string &parent : parents) {
        words.insert(words.end(), {"-p", parent});
    }
    return git(words);
}

bool BuildBranch::advance(const std::string &parent, const std::string &commit)
{
    const std::string now = tip();
    if (now != parent) {
        // It may have been moved there before this process's predecessor was killed.
        return git({"rev-list", "--max-count=1", commit, "^" + now}).empty();
    }
    git({"update-ref", "-m", "autopack: build", "refs/heads/" + name_, commit, parent});
    return true;
}

std::optional<std::string> BuildBranch::merged_tree(const std::string &ours,
                                                    const std::string &theirs) const
{
    try {
        return git({"merge-tree", "--write-tree", "--no-messages", ours, theirs});
    } catch (const Error &error) {
        if (error.status() != ExitStatus::Failed) {
            throw;
        }
        return std::nullopt;
    }
}

// The path of the worktree that `branch` is checked out in; empty if there is none.
std::string BuildBranch::worktree_of(const std::string &branch) const
{
    std::string path;
    const std::string list = git({"worktree", "list", "--porcelain"});
    for (const std::string_view line : split(list, '\n')) {
        if (line.starts_with("worktree ")) {
            path = line.substr(std::string_view("worktree ").size());
        } else if (line == "branch refs/heads/" + branch) {
            return path;
        }
    }
    return {};
}

std::string BuildBranch::merge(MergePolicy policy, const std::string &message)
{
    const std::string into = base();
    if (!exists("refs/heads/" + name_)) {
        return "nothing was built in '" + top_ + "'";
    }
    if (into.empty() || !exists("refs/heads/" + into)) {
        leave(name_, "there is no branch to merge into");
    }
    const std::string target = git({"rev-parse", "--verify", "refs/heads/" + into});
    std::string result = tip();
    if (git({"rev-list", "--max-count=1", result, "^" + target}).empty()) {
        return into + " has all of " + name_;
    }
    if (!git({"rev-list", "--max-count=1", target, "^" + result}).empty()) {
        const auto tree =
            policy == MergePolicy::Commit ? merged_tree(target, result) : std::nullopt;
        if (!tree) {
            leave(name_, policy == MergePolicy::Commit
                             ? "it is in conflict with '" + into + "'"
                             : "'" + into + "' has gone on, and cannot be moved forward");
        }
        result = make_commit(*tree, {target, result}, message);
    }
    if (const std::string where = worktree_of(into); !where.empty()) {
        if (!git_line(where, {"status", "--porcelain", "--untracked-files=no"}).empty()) {
            leave(name_,
                  "'" + into + "' has changes that are not committed in '" + where + "'");
        }
        run_git(where,
                {"merge", "--quiet", "--ff-only", "--no-verify-signatures", result});
    } else {
        git({"update-ref", "-m", "autopack: merge", "refs/heads/" + into, result,
             target});
    }
    return "merged " + name_ + " into " + into;
}

void check_out_tree(const std::string &path, const std::string &tree)
{
    run_git(path, {"read-tree", "--reset", "-u", tree});
    run_git(path, {"clean", "--quiet", "-ffdx"});
}

std::string snapshot_tree(const std::string &path)
{
    run_git(path, {"add", "--all", "--force", "."});
    return git_line(path, {"write-tree"});
}

std::string tree_diff(const std::string &directory, const std::string &before,
                      const std::string &after)
{
    return run_git(directory, {"diff", "--no-color", "--no-ext-diff", "--no-textconv",
                               "--find-renames", before, after});
}

std::string
commit_message(std::string_view goal,
               const std::vector<std::pair<std::string, std::string>> &trailers)
{
    const std::string_view text = trim(goal);
    std::string subject(trim(text.substr(0, text.find('\n'))));
    if (subject.size() > longest_subject) {
        size_t end = subject.rfind(' ', longest_subject);
        end = end == std::string::npos || end == 0 ? longest_subject : end;
        // Not in the middle of a character of UTF-8.
        while (end > 0 && (static_cast<unsigned char>(subject[end]) & 0xc0) == 0x80) {
            end--;
        }
        subject.resize(end);
    }
    std::string message = subject + "\n\n";
    if (subject != text) {
        message += std::string(text) + "\n\n";
    }
    for (const auto &[name, value] : trailers) {
        message += name + ": " + value + "\n";
    }
    return message;
}

} // namespace ap
