#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Runs git in `directory` and gives what it wrote to its output. No hooks run, nothing
/// is asked, and variables that would lead it to another repository (GIT_DIR and its kin)
/// do not count. Throws Error(Failed) with git's own words, Error(Unavailable) without
/// git.
std::string run_git(const std::string &directory, const std::vector<std::string> &words);

/// A git worktree, in which an attempt can work without touching any other. It goes away
/// with the object unless it is kept; on a branch of its own its commits stay.
class Worktree
{
public:
    /// Makes a worktree of the repository around `repository` at `path`, which must not
    /// be there, from `revision` (empty: HEAD). With `branch` it is on that new branch,
    /// else detached.
    static Worktree add(const std::string &repository, const std::string &path,
                        const std::string &branch, const std::string &revision = {});

    /// Takes over the worktree that is at `path`, made by another process.
    static Worktree adopt(const std::string &repository, const std::string &path);

    ~Worktree();
    Worktree(Worktree &&other) noexcept;
    Worktree &operator=(Worktree &&other) = delete;
    Worktree(const Worktree &) = delete;
    Worktree &operator=(const Worktree &) = delete;

    /// Absolute.
    const std::string &path() const noexcept { return path_; }

    /// It stays when the object ends.
    void keep() noexcept { is_owned_ = false; }

    /// Removes it now, with all that is not committed. Throws as run_git() does.
    void remove();

    /// Commits all that differs from HEAD, with files not ignored; the new commit's id,
    /// or nothing to commit: an empty string. Author and committer are git's as
    /// configured, or "Autopack".
    std::string commit_all(std::string_view message) const;

    /// What differs from `revision`, new files included, as a diff of git.
    std::string diff_against(const std::string &revision) const;

private:
    Worktree(std::string repository, std::string path);

    std::string repository_;
    std::string path_;
    bool is_owned_ = true;
};

} // namespace ap
