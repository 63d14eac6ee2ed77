#include "sys/child.hh"

#include "base/error.hh"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

// What posix_spawn is told besides the program.
class SpawnSettings
{
public:
    explicit SpawnSettings(const ChildCommand &command)
    {
        check(posix_spawn_file_actions_init(&actions_));
        check(posix_spawnattr_init(&attributes_));
        sigset_t none{};
        sigset_t all{};
        sigemptyset(&none);
        sigfillset(&all);
        check(posix_spawnattr_setsigmask(&attributes_, &none));
        check(posix_spawnattr_setsigdefault(&attributes_, &all));
        check(posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK |
                                                         POSIX_SPAWN_SETSIGDEF |
                                                         POSIX_SPAWN_SETSID));
        if (command.standard_input) {
            stream(command.standard_input, STDIN_FILENO);
        } else {
            check(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null",
                                                   O_RDONLY, 0));
        }
        stream(command.standard_output, STDOUT_FILENO);
        stream(command.standard_error, STDERR_FILENO);
    }
    ~SpawnSettings()
    {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnSettings(const SpawnSettings &) = delete;
    SpawnSettings &operator=(const SpawnSettings &) = delete;

    const posix_spawn_file_actions_t *actions() const { return &actions_; }
    const posix_spawnattr_t *attributes() const { return &attributes_; }

private:
    static void check(int error)
    {
        if (error != 0) {
            throw SystemError("cannot prepare a process", error);
        }
    }
    void stream(const Fd &from, int to)
    {
        if (from) {
            check(posix_spawn_file_actions_adddup2(&actions_, from.get(), to));
        }
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

} // namespace

Child::Child(ChildCommand command)
{
    std::vector<char *> words;
    words.reserve(command.argv.size() + 1);
    for (const std::string &word : command.argv) {
        words.push_back(const_cast<char *>(word.c_str())); // posix_spawnp takes them so
    }
    words.push_back(nullptr);
    const SpawnSettings settings(command);
    const int error = posix_spawnp(&pid_, words[0], settings.actions(),
                                   settings.attributes(), words.data(), environ);
    if (error != 0) {
        pid_ = -1;
        throw SystemError("cannot start '" + command.argv.front() + "'", error);
    }
    // Nobody but this object waits for it, so the number is still its own.
    ended_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!ended_) {
        const int failure = errno;
        end();
        throw SystemError("cannot watch a process", failure);
    }
}

Child::Child(Child &&other) noexcept
    : pid_(std::exchange(other.pid_, -1))
    , ended_(std::move(other.ended_))
    , status_(other.status_)
    , left_(other.left_)
{
}

Child &Child::operator=(Child &&other) noexcept
{
    std::swap(pid_, other.pid_);
    std::swap(ended_, other.ended_);
    std::swap(status_, other.status_);
    std::swap(left_, other.left_);
    return *this;
}

Child::~Child()
{
    if (!left_) {
        end();
    }
}

void Child::end() noexcept
{
    if (pid_ <= 0 || status_) {
        return;
    }
    signal(SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

std::optional<int> Child::status()
{
    int raw = 0;
    if (!status_ && waitpid(pid_, &raw, WNOHANG) == pid_) {
        status_ = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    }
    return status_;
}

std::optional<int> Child::wait(std::chrono::milliseconds limit)
{
    using Clock = std::chrono::steady_clock;
    const auto until = Clock::now() + limit;
    while (!status()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        pollfd ended{ended_.get(), POLLIN, 0};
        if (left.count() <= 0 ||
            (poll(&ended, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)) {
            break;
        }
    }
    return status();
}

void Child::signal(int signal) noexcept
{
    if (pid_ > 0 && !status_) {
        static_cast<void>(::kill(-pid_, signal));
    }
}

Fd memory_file(std::string_view text)
{
    Fd file(memfd_create("autopack", MFD_CLOEXEC));
    if (!file) {
        throw_errno("cannot make a file in memory");
    }
    write_all(file.get(), text, "file in memory");
    if (lseek(file.get(), 0, SEEK_SET) != 0) {
        throw_errno("cannot rewind a file in memory");
    }
    return file;
}

} // namespace ap
