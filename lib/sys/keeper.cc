#include "sys/keeper.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/keeper_process.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

// The text of a start, as KeeperOrder describes it.
std::string text_of(const KeptCommand &command)
{
    std::string text;
    const auto add = [&text](const std::string &string) {
        text.append(string).push_back('\0');
    };
    add(command.directory);
    add(command.spool);
    std::for_each(command.argv.begin(), command.argv.end(), add);
    std::for_each(command.environment.begin(), command.environment.end(), add);
    return text;
}

// Signals are no concern here: the callers' are blocked or restart the call.
bool send_all(int channel, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t count = send(channel, data.data(), data.size(), MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        data.remove_prefix(static_cast<size_t>(std::max<ssize_t>(0, count)));
    }
    return true;
}

bool send_order(int channel, KeeperOrder &order, std::span<const int> descriptors)
{
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * most_passed_descriptors)>
        control{};
    iovec data = {&order, sizeof order};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    ssize_t sent = 0;
    while ((sent = sendmsg(channel, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR) {
    }
    return sent == sizeof order;
}

bool is_keeper(pid_t pid)
{
    try {
        return trim(read_file("/proc/" + std::to_string(pid) + "/comm", 4096)) ==
               keeper_name;
    } catch (const Error &) {
        return true; // it cannot be told: leave it alone
    }
}

std::vector<pid_t> orphaned_children()
{
    std::vector<pid_t> orphans = unreaped_children_of(getpid());
    std::erase_if(orphans, is_keeper);
    return orphans;
}

// A keeper has died without its report: what it kept are children of this process now.
// Repeated, since what an orphan leaves, or forks meanwhile, becomes ours in turn.
void end_orphans()
{
    for (auto orphans = orphaned_children(); !orphans.empty();
         orphans = orphaned_children()) {
        for (const pid_t orphan : orphans) {
            for (const pid_t below : descendants_of(orphan)) {
                static_cast<void>(::kill(below, SIGKILL));
            }
            static_cast<void>(::kill(orphan, SIGKILL));
        }
        for (const pid_t orphan : orphans) {
            static_cast<void>(waitpid(orphan, nullptr, 0));
        }
    }
}

// Forks with every signal blocked, so that the child loses none that is sent before it is
// ready, and under the keepers' name, so that end_orphans never takes a keeper that has
// not run yet for an orphan.
pid_t fork_keeper(int channel)
{
    sigset_t all{};
    sigset_t before{};
    std::array<char, 16> own_name{};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    prctl(PR_GET_NAME, own_name.data());
    prctl(PR_SET_NAME, keeper_name);
    const pid_t pid = fork();
    if (pid == 0) {
        run_keeper(channel);
    }
    const int fork_errno = errno;
    prctl(PR_SET_NAME, own_name.data());
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        throw SystemError("cannot fork", fork_errno);
    }
    return pid;
}

KeptResult result_from(const KeeperReport &report)
{
    KeptResult result;
    result.exec_errno = report.exec_errno;
    result.told_to_end = report.told_to_end != 0;
    result.cpu_ms = report.cpu_ms;
    result.max_rss_kib = report.max_rss_kib;
    if (WIFSIGNALED(report.wait_status)) {
        result.signal = WTERMSIG(report.wait_status);
    } else {
        result.exit_code = WEXITSTATUS(report.wait_status);
    }
    return result;
}

} // namespace

Keeper::Keeper()
{
    fork_process();
}

Keeper::Keeper(Keeper &&other) noexcept
    : channel_(std::move(other.channel_))
    , pid_(std::exchange(other.pid_, -1))
    , busy_(std::exchange(other.busy_, false))
{
}

Keeper &Keeper::operator=(Keeper &&other) noexcept
{
    std::swap(channel_, other.channel_);
    std::swap(pid_, other.pid_);
    std::swap(busy_, other.busy_);
    return *this;
}

Keeper::~Keeper()
{
    if (busy_) {
        kill();
        try {
            finish();
        } catch (const std::exception &) {
            busy_ = false; // the processes have ended all the same
        }
    }
    dismiss();
}

void Keeper::fork_process()
{
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw_errno("cannot make a socket");
    }
    channel_.reset(ends[0]);
    const Fd keepers_end(ends[1]);
    pid_ = fork_keeper(keepers_end.get());
}

// The keeper ends when its socket does.
void Keeper::dismiss() noexcept
{
    channel_.reset();
    if (pid_ > 0) { // else it would wait for any process
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
    }
}

void Keeper::start(KeptCommand command)
{
    if (busy_) {
        throw Error(ExitStatus::Bug, "a keeper was started twice");
    }
    if (pid_ < 0 || !send_start(command)) {
        dismiss();
        fork_process();
        if (!send_start(command)) {
            throw_errno("cannot reach a keeper");
        }
    }
    busy_ = true;
}

bool Keeper::send_start(const KeptCommand &command) const
{
    const std::string text = text_of(command);
    KeeperOrder order;
    order.kind = KeeperOrder::Kind::Start;
    order.grace_ms = command.grace.count();
    order.words = command.argv.size();
    order.variables = command.environment.size();
    order.text_size = text.size();
    order.has_input = command.standard_input ? 1 : 0;
    order.has_fifo = command.spooled_fifo < 0 ? 0 : 1;
    order.has_readers = command.output_reader < 0 || command.error_reader < 0 ? 0 : 1;
    std::vector<int> passed = {command.standard_output.get(),
                               command.standard_error.get()};
    if (command.standard_input) {
        passed.push_back(command.standard_input.get());
    }
    if (command.spooled_fifo >= 0) {
        passed.push_back(command.spooled_fifo);
    }
    if (order.has_readers != 0) {
        passed.insert(passed.end(), {command.output_reader, command.error_reader});
    }
    return send_order(channel_.get(), order, passed) && send_all(channel_.get(), text);
}

void Keeper::terminate() noexcept
{
    order(KeeperOrder::Kind::Terminate);
}

void Keeper::kill() noexcept
{
    order(KeeperOrder::Kind::Kill);
}

void Keeper::order(KeeperOrder::Kind kind) noexcept
{
    if (busy_) {
        KeeperOrder order;
        order.kind = kind;
        // One that cannot be reached is dead, which finish() finds out.
        static_cast<void>(send_order(channel_.get(), order, {}));
    }
}

KeptResult Keeper::finish()
{
    if (!std::exchange(busy_, false)) {
        throw Error(ExitStatus::Bug, "a keeper was finished twice");
    }
    KeeperReport report;
    ssize_t count = 0;
    while ((count = recv(channel_.get(), &report, sizeof report, MSG_WAITALL)) < 0 &&
           errno == EINTR) {
    }
    if (count == sizeof report) {
        return result_from(report);
    }
    dismiss();
    end_orphans();
    KeptResult result;
    result.keeper_lost = true;
    return result;
}

void become_subreaper()
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        throw_errno("cannot adopt orphans");
    }
}

} // namespace ap
