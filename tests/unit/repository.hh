#pragma once

#include "check.hh"
#include "support.hh"

#include "domain/build_branch.hh"
#include "domain/worktree.hh"
#include "sys/path.hh"

#include <string>

namespace check {

/// A git repository `repo`, in a directory of its own, with one commit on main: the file
/// "a" with the line "one".
class Repository
{
public:
    Repository()
        : path(directory.file("repo"))
    {
        ap::make_directories(path);
        ap::run_git(path, {"init", "--quiet", "--initial-branch=main"});
        write("a", "one\n");
        commit("First");
    }

    void write(const std::string &name, const std::string &text) const
    {
        ap::replace_file(ap::join_path(path, name), text);
    }

    void commit(const std::string &subject) const
    {
        ap::run_git(path, {"add", "--all"});
        ap::run_git(path, {"-c", "user.name=t", "-c", "user.email=t@t", "commit",
                           "--quiet", "-m", subject});
    }

    /// The commit id of a revision.
    std::string id(const std::string &revision) const
    {
        std::string line = ap::run_git(path, {"rev-parse", revision});
        line.pop_back();
        return line;
    }

    /// Commits a file to the run's branch through a worktree.
    std::string build(ap::BuildBranch &branch, const std::string &text,
                      const std::string &name = "b") const
    {
        const std::string parent = branch.tip();
        const ap::Worktree tree =
            ap::Worktree::add(path, directory.file("tree"), "", parent);
        ap::replace_file(ap::join_path(tree.path(), name), text);
        const std::string made =
            branch.make_commit(ap::snapshot_tree(tree.path()), {parent}, "Build\n");
        CHECK(branch.advance(parent, made));
        return made;
    }

    TemporaryDirectory directory; ///< around it
    std::string path;
};

} // namespace check
