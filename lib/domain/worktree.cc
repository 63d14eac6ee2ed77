#include "domain/worktree.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/command.hh"
#include "sys/path.hh"

#include <cerrno>
#include <utility>

namespace ap {

namespace {

// Names and addresses git has only to do without failing where nobody is configured.
std::vector<std::string> identity_options(const std::string &directory)
{
    std::vector<std::string> words;
    for (const auto &[key, value] : {std::pair("user.name", "Autopack"),
                                     std::pair("user.email", "autopack@localhost")}) {
        if (trim(run_git(directory, {"config", "--default", "", "--get", key})).empty()) {
            words.insert(words.end(), {"-c", std::string(key) + "=" + value});
        }
    }
    return words;
}

} // namespace

std::string run_git(const std::string &directory, const std::vector<std::string> &words)
{
    Command command;
    // env(1) takes the variables away; a repository's hooks are other people's programs.
    command.argv = {"env"};
    for (const char *name : {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE",
                             "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE",
                             "GIT_PREFIX", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}) {
        command.argv.insert(command.argv.end(), {"-u", name});
    }
    command.argv.insert(command.argv.end(),
                        {"git", "-c", "core.hooksPath=/dev/null", "-c",
                         "core.quotePath=false", "-c", "gc.auto=0"});
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.directory = directory;
    command.environment = {"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"};
    command.output_limit = size_t{256} << 20;
    CommandResult result = run_command(command);
    if (result.succeeded()) {
        return std::move(result.output);
    }
    constexpr int not_found = 127;
    if (result.end == CommandEnd::Exited && result.status == not_found) {
        throw Error(ExitStatus::Unavailable, "git is not installed");
    }
    const std::string_view told = trim(result.error);
    throw Error(ExitStatus::Failed,
                "git " + words.front() + ": " +
                    (told.empty() ? result.text()
                                  : printable(told.substr(0, told.find('\n')), 400)));
}

Worktree::Worktree(std::string repository, std::string path)
    : repository_(std::move(repository))
    , path_(std::move(path))
{
}

Worktree::Worktree(Worktree &&other) noexcept
    : repository_(std::move(other.repository_))
    , path_(std::move(other.path_))
    , is_owned_(std::exchange(other.is_owned_, false))
{
}

Worktree Worktree::add(const std::string &repository, const std::string &path,
                       const std::string &branch, const std::string &revision)
{
    const std::string whole = absolute_path(path);
    if (path_exists(whole)) {
        throw Error(ExitStatus::CannotCreate, "'" + path + "' is there already");
    }
    std::vector<std::string> words = {"worktree", "add", "--quiet"};
    if (branch.empty()) {
        // Twice: also where a git that was killed has left its note of a worktree that
        // it was about to make, which is locked.
        words.insert(words.end(), {"--detach", "--force", "--force"});
    } else {
        words.insert(words.end(), {"-b", branch});
    }
    words.insert(words.end(), {"--", whole, revision.empty() ? "HEAD" : revision});
    run_git(repository, words);
    return {repository, whole};
}

Worktree Worktree::adopt(const std::string &repository, const std::string &path)
{
    return {repository, absolute_path(path)};
}

Worktree::~Worktree()
{
    if (!is_owned_) {
        return;
    }
    try {
        remove();
    } catch (const std::exception &) {
        // Nobody is left to be told; "git worktree prune" clears up after it.
    }
}

void Worktree::remove()
{
    is_owned_ = false;
    run_git(repository_, {"worktree", "remove", "--force", "--force", "--", path_});
}

std::string Worktree::commit_all(std::string_view message) const
{
    run_git(path_, {"add", "--all"});
    if (run_git(path_, {"diff", "--cached", "--name-only", "HEAD"}).empty()) {
        return {};
    }
    std::vector<std::string> words = identity_options(path_);
    words.insert(words.end(), {"commit", "--quiet", "--no-verify", "--no-gpg-sign",
                               "--cleanup=verbatim", "-m", std::string(message)});
    run_git(path_, words);
    return std::string(trim(run_git(path_, {"rev-parse", "HEAD"})));
}

std::string Worktree::diff_against(const std::string &revision) const
{
    run_git(path_, {"add", "--all", "--intent-to-add"});
    return run_git(path_, {"diff", "--no-ext-diff", "--no-textconv", revision});
}

} // namespace ap
