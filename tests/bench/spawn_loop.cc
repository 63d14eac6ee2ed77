// A peer of ap-exec that does nothing but fork, execute and wait: COUNT times the same
// command, one after the other. With --log, each change of a job's state (started, ended
// with its status) is on the disk before what follows from it is done, as it is in
// ap-exec.

#include "base/error.hh"
#include "cli/tool.hh"
#include "sys/fd.hh"

#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr ap::Option options[] = {
    {'n', "count", "N", "how often (default 1)"},
    {0, "log", "FILE", "append and sync each change of state"},
};

constexpr ap::ToolSpec spec = {.name = "spawn_loop",
                               .summary = "execute a command again and again",
                               .options = options,
                               .operands = "COMMAND [ARGUMENT...]",
                               .least = 1,
                               .most = 100,
                               .stop_at_operand = true};

// The changes of the jobs' states; nowhere without a path.
class Log
{
public:
    explicit Log(const std::optional<std::string> &path)
    {
        if (path) {
            file_ = ap::open_file(*path, O_WRONLY | O_CREAT | O_APPEND);
        }
    }

    void append(int64_t job, const std::string &state) const
    {
        if (!file_) {
            return;
        }
        ap::write_all(file_.get(), std::to_string(job) + " " + state + "\n", "the log");
        if (fdatasync(file_.get()) != 0) {
            ap::throw_errno("cannot sync the log");
        }
    }

private:
    ap::Fd file_;
};

int execute_and_wait(const std::vector<char *> &argv)
{
    const pid_t pid = fork();
    if (pid == 0) {
        execvp(argv.front(), argv.data());
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        ap::throw_errno("cannot execute the command");
    }
    return status;
}

ap::ExitStatus loop(const ap::Arguments &arguments)
{
    std::vector<std::string> command = arguments.operands();
    std::vector<char *> argv;
    argv.reserve(command.size() + 1);
    for (std::string &word : command) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const Log log(arguments.value("log"));
    const int64_t count = arguments.integer("count", 1, INT64_MAX).value_or(1);
    for (int64_t job = 0; job < count; job++) {
        log.append(job, "started");
        log.append(job, "ended " + std::to_string(execute_and_wait(argv)));
    }
    return ap::ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, loop);
}
