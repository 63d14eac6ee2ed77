#include "base/error.hh"
#include "base/text.hh"
#include "cli/tool.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <cstdlib>
#include <dirent.h>
#include <memory>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using ap::ExitStatus;

constexpr std::string_view prefix = "ap-";
constexpr size_t longest_help = 65536;
constexpr size_t summary_column = 10;

constexpr ap::Option options[] = {
    {'l', "list", "", "print the names of all commands, one a line"},
};

constexpr ap::ToolSpec spec = {.name = "autopack",
                               .summary = "run a tool of the suite",
                               .options = options,
                               .operands = "NAME [ARG...] | help [NAME]",
                               .least = 0,
                               .most = 100'000,
                               .stop_at_operand = true};

struct CloseDirectory
{
    void operator()(DIR *directory) const noexcept
    {
        static_cast<void>(closedir(directory));
    }
};

// Where tools are looked for: beside this program, so that a build or an installation is
// of one piece, then along PATH.
std::vector<std::string> search_path()
{
    std::vector<std::string> directories = {ap::program_directory()};
    const char *path = std::getenv("PATH");
    for (const std::string_view directory : ap::split(path == nullptr ? "" : path, ':')) {
        directories.emplace_back(directory.empty() ? "." : directory);
    }
    return directories;
}

std::string find_command(std::string_view name)
{
    for (const std::string &directory : search_path()) {
        std::string path =
            ap::join_path(directory, std::string(prefix) + std::string(name));
        if (access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

std::set<std::string> all_commands()
{
    std::set<std::string> names;
    for (const std::string &directory : search_path()) {
        const std::unique_ptr<DIR, CloseDirectory> listing(opendir(directory.c_str()));
        while (const dirent *entry = listing ? readdir(listing.get()) : nullptr) {
            const std::string_view name = static_cast<const char *>(entry->d_name);
            if (name.starts_with(prefix) && name.find('.') == std::string_view::npos &&
                access(ap::join_path(directory, name).c_str(), X_OK) == 0) {
                names.emplace(name.substr(prefix.size()));
            }
        }
    }
    return names;
}

std::string command_list(std::string_view before, std::string_view after)
{
    std::string list;
    for (const std::string &name : all_commands()) {
        list.append(before).append(name).append(after);
    }
    return list;
}

[[noreturn]] void execute(const std::string &path, std::vector<std::string> words)
{
    std::vector<char *> argv;
    argv.reserve(words.size() + 1);
    for (std::string &word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    execvp(path.c_str(), argv.data());
    ap::throw_errno("cannot execute '" + path + "'");
}

// The summary of a tool of the suite, which is the second line of its --help. What the
// user has along PATH is not run to be asked.
std::string summary_of(const std::string &name)
{
    const std::string path =
        ap::join_path(ap::program_directory(), std::string(prefix) + name);
    if (access(path.c_str(), X_OK) != 0) {
        return {};
    }
    ap::Pipe pipe = ap::make_pipe();
    const pid_t child = fork();
    if (child == 0) {
        dup2(pipe.write.get(), STDOUT_FILENO);
        execl(path.c_str(), path.c_str(), "--help", nullptr);
        _exit(static_cast<int>(ExitStatus::Bug));
    }
    pipe.write.reset();
    const std::string text = ap::read_all(pipe.read.get(), longest_help, path);
    if (child < 0 || waitpid(child, nullptr, 0) != child) {
        ap::throw_errno("cannot run '" + path + "'");
    }
    const std::vector<std::string_view> lines = ap::split(text, '\n');
    return lines.size() > 1 ? std::string(lines[1]) : std::string();
}

std::string command_summaries()
{
    std::string list;
    for (const std::string &name : all_commands()) {
        const std::string summary = summary_of(name);
        const size_t column = std::max(name.size() + 2, summary_column);
        list +=
            "  " + name +
            (summary.empty() ? "" : std::string(column - name.size(), ' ') + summary) +
            "\n";
    }
    return list;
}

ExitStatus help(const std::vector<std::string> &operands)
{
    if (operands.size() > 1) {
        const bool own = operands[1] == spec.name;
        execute("man", {"man", own ? operands[1] : std::string(prefix) + operands[1]});
    }
    ap::print(ap::help_text(spec) + "\ncommands:\n" + command_summaries());
    return ExitStatus::Done;
}

ExitStatus dispatch(const ap::Arguments &arguments)
{
    if (arguments.has("list")) {
        ap::print(command_list("", "\n"));
        return ExitStatus::Done;
    }
    std::vector<std::string> words = arguments.operands();
    if (words.empty()) {
        throw ap::UsageError("a command is needed, one of:" + command_list("\n  ", ""));
    }
    if (words.front() == "help") {
        return help(words);
    }
    const std::string path = find_command(words.front());
    if (path.empty()) {
        std::set<std::string> known = all_commands();
        known.insert("help");
        const std::vector<std::string_view> candidates(known.begin(), known.end());
        const auto likely = ap::nearest(words.front(), candidates);
        throw ap::UsageError(
            "'" + ap::printable(words.front()) + "' is not an autopack command" +
            (likely ? "; did you mean '" + std::string(*likely) + "'?" : std::string()));
    }
    words.front() = std::string(prefix) + words.front();
    execute(path, std::move(words));
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, dispatch);
}
