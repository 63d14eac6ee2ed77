#pragma once

#include "domain/plan.hh"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// The branch `autopack/RUN` of a repository, on which the run's goals are committed, and
/// the branch it started from. Nothing here touches files that are checked out, but for
/// merge(). All functions throw as run_git() does.
class BuildBranch
{
public:
    /// `directory` is in the repository; Error(NoInput) if there is none around it.
    BuildBranch(const std::string &directory, std::string_view run_id);

    /// The repository's top.
    const std::string &top() const noexcept { return top_; }

    /// "autopack/RUN".
    const std::string &name() const noexcept { return name_; }

    /// Makes room for moving the branch where a git that was killed has left its lock;
    /// throws as clear_stale_lock() does.
    void clear_lock() const;

    /// Its last commit. The branch is made at HEAD, and what HEAD is on noted as its
    /// base, if it is not there.
    std::string tip();

    /// The branch it started from; empty if HEAD was detached.
    std::string base() const;

    /// Makes a commit of `tree` on top of `parents`, which no branch has yet, and returns
    /// its id. Author is who git's configuration names, else Autopack.
    std::string make_commit(const std::string &tree,
                            const std::vector<std::string> &parents,
                            const std::string &message) const;

    /// Moves the branch from `parent` to `commit`; true as well if it has the commit
    /// already, false if it has gone on elsewhere meanwhile.
    bool advance(const std::string &parent, const std::string &commit);

    /// Merges the branch into its base, whose working tree must have no changes of
    /// tracked files. Returns what was done, in a line. Throws Error(Failed) saying why
    /// not; then nothing was changed.
    std::string merge(MergePolicy policy, const std::string &message);

    /// The tree of two commits merged; nothing if they are in conflict.
    std::optional<std::string> merged_tree(const std::string &ours,
                                           const std::string &theirs) const;

private:
    bool exists(const std::string &reference) const;
    std::string git(const std::vector<std::string> &words) const;
    std::string worktree_of(const std::string &branch) const;

    std::string top_;
    std::string name_;
};

/// Puts the tree `tree` into the worktree at `path`, with nothing besides.
void check_out_tree(const std::string &path, const std::string &tree);

/// The tree of all files in the worktree at `path`, ignored ones included.
std::string snapshot_tree(const std::string &path);

/// What differs between two trees, as a diff of git.
std::string tree_diff(const std::string &directory, const std::string &before,
                      const std::string &after);

/// The top of the repository around `directory`; Error(NoInput) if there is none.
std::string repository_top(const std::string &directory);

/// A commit message: a subject of at most 72 bytes from the goal's first line, the goal,
/// and trailers.
std::string
commit_message(std::string_view goal,
               const std::vector<std::pair<std::string, std::string>> &trailers);

} // namespace ap
