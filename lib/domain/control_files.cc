#include "base/error.hh"
#include "base/text.hh"
#include "domain/control.hh"
#include "domain/control_line.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;
using Kind = ControlLine::Kind;

constexpr size_t largest_file = 64 * 1024;
constexpr auto longest_lock_wait = 5s;
constexpr auto longest_writer_wait = 50ms;

/// What is in a control file (nothing if there is none), or why it cannot be one.
struct Content
{
    std::string text;
    std::string unfit; ///< empty: the text is good
};

/// A file moved out of everybody else's way.
struct Taken
{
    const ControlFile *file;
    std::string path;
};

/// The lines of a taken file, by what is to become of them.
struct Sorted
{
    bool submitted = false;
    std::string kept;     ///< byte for byte what goes back
    std::string rejected; ///< lines for the .rejected file
};

// True while some process has the file open for writing. The kernel grants a read lease
// only if none has; where leases are not supported there is no way to know.
bool has_writer(int fd)
{
    // Breaking a lease sends SIGIO, which would end this process; SIGURG is ignored.
    static_cast<void>(fcntl(fd, F_SETSIG, SIGURG));
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        static_cast<void>(fcntl(fd, F_SETLEASE, F_UNLCK));
        return false;
    }
    return errno == EAGAIN;
}

// `echo x >> FILE` opens first and writes then: one that opened just before the file was
// renamed still writes into it. One that keeps the file open is not waited for.
void wait_for_writers(int fd)
{
    const auto deadline = std::chrono::steady_clock::now() + longest_writer_wait;
    while (has_writer(fd) && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(1ms);
    }
}

Content unfit(std::string reason)
{
    return {{}, std::move(reason)};
}

Content read_open_file(int fd, const std::string &path)
{
    struct stat info = {};
    if (fstat(fd, &info) != 0) {
        throw_errno("cannot examine '" + path + "'");
    }
    if (!S_ISREG(info.st_mode)) {
        return unfit("is no regular file");
    }
    std::string text(largest_file + 1, '\0');
    size_t length = 0;
    while (length < text.size()) {
        const ssize_t got =
            read_some(fd, text.data() + length, text.size() - length, path);
        if (got <= 0) {
            break;
        }
        length += static_cast<size_t>(got);
    }
    if (length > largest_file) {
        return unfit("is larger than 64 KiB");
    }
    text.resize(length);
    return {std::move(text), {}};
}

Content read_control_file(const std::string &path, bool after_writers)
{
    Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        switch (errno) {
        case ENOENT:
            return {};
        case ELOOP:
        case ENXIO:
            return unfit("is no regular file");
        case EACCES:
        case EPERM:
            return unfit("cannot be read");
        default:
            throw_errno("cannot open '" + path + "'");
        }
    }
    if (after_writers) {
        wait_for_writers(fd.get());
    }
    return read_open_file(fd.get(), path);
}

Fd lock_control_files(const std::string &runs)
{
    const std::string path = join_path(runs, ".control.lock");
    Fd lock = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
    const auto deadline = std::chrono::steady_clock::now() + longest_lock_wait;
    while (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            throw_errno("cannot lock '" + path + "'");
        }
        if (std::chrono::steady_clock::now() > deadline) {
            throw Error(ExitStatus::TryAgain,
                        "cannot lock '" + path + "': another process holds it");
        }
        std::this_thread::sleep_for(1ms);
    }
    return lock;
}

const ControlFile *file_of_taken_name(std::string_view name)
{
    for (const ControlFile &file : control_files) {
        const std::string start = std::string(file.name) + ".taken.";
        if (name.starts_with(start) &&
            parse_integer(name.substr(start.size()), 1, INT32_MAX)) {
            return &file;
        }
    }
    return nullptr;
}

// Only who holds the lock has taken files, so under it all there are were left by the
// dead, or by a failure such as a full disk.
std::vector<Taken> find_taken(const std::string &runs)
{
    struct CloseDirectory
    {
        void operator()(DIR *directory) const noexcept
        {
            static_cast<void>(closedir(directory));
        }
    };
    std::vector<Taken> found;
    const std::unique_ptr<DIR, CloseDirectory> directory(opendir(runs.c_str()));
    if (directory == nullptr) {
        return found;
    }
    while (const dirent *entry = readdir(directory.get())) {
        if (const ControlFile *file = file_of_taken_name(entry->d_name)) {
            found.push_back({file, join_path(runs, entry->d_name)});
        }
    }
    return found;
}

// Its writer may remove the file at any moment, which withdraws what it asked for.
void rename_if_there(const std::string &from, const std::string &to)
{
    if (rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
        throw_errno("cannot rename '" + from + "' to '" + to + "'");
    }
}

// Opens `base`, or `base`.2 and so on if something else than a file is in the way.
Fd open_rejected(const std::string &base)
{
    for (int number = 1; number < 1000; ++number) {
        const std::string path = number == 1 ? base : base + "." + std::to_string(number);
        Fd fd(open(path.c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                   0666));
        struct stat info = {};
        if (fd && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) {
            return fd;
        }
        if (!fd && errno != EISDIR && errno != ELOOP && errno != ENXIO) {
            throw_errno("cannot open '" + path + "'");
        }
    }
    throw Error(ExitStatus::CannotCreate, "cannot open '" + base + "'");
}

void move_to_rejected(const std::string &from, const std::string &base)
{
    for (int number = 1; number < 1000; ++number) {
        const std::string path = number == 1 ? base : base + "." + std::to_string(number);
        if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) ==
            0) {
            return;
        }
        if (errno != EEXIST) {
            throw_errno("cannot rename '" + from + "' to '" + path + "'");
        }
    }
    throw Error(ExitStatus::CannotCreate, "cannot make '" + base + "'");
}

// Lines may have come to a new file of that name, the last of them without a newline.
void put_back(const std::string &path, const std::string &lines)
{
    const Fd fd = open_file(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    struct stat info = {};
    char last = '\n';
    if (fstat(fd.get(), &info) == 0 && info.st_size > 0 &&
        pread(fd.get(), &last, 1, info.st_size - 1) != 1) {
        last = '\n'; // cannot be told; the line break that may be missing stays missing
    }
    write_all(fd.get(), last == '\n' ? lines : "\n" + lines, "'" + path + "'");
}

/// One take() under the lock.
class Taker
{
public:
    Taker(State &state, std::string_view run_id, const Clock &clock)
        : database_(state.database())
        , runs_(state.paths().runs)
        , run_id_(run_id)
        , clock_(clock)
    {
    }

    bool wants(const ControlFile &file) const
    {
        const Content content = read_control_file(path_of(file), false);
        if (!content.unfit.empty()) {
            return true;
        }
        for (const std::string_view line : split(content.text, '\n')) {
            const ControlLine read = read_control_line(database_, run_id_, file, line);
            if (read.kind == Kind::Ours || read.kind == Kind::Nonsense) {
                return true;
            }
        }
        return false;
    }

    Taken take_away(const ControlFile &file) const
    {
        Taken taken{&file, path_of(file) + ".taken." + std::to_string(getpid())};
        rename_if_there(path_of(file), taken.path);
        return taken;
    }

    bool carry_out(const Taken &taken)
    {
        const ControlFile &file = *taken.file;
        const Content content = read_control_file(taken.path, true);
        if (!content.unfit.empty()) {
            reject_whole(taken, content.unfit);
            return false;
        }
        const Sorted sorted = submit_lines(file, content.text);
        if (!sorted.rejected.empty()) {
            write_all(open_rejected(path_of(file) + ".rejected").get(), sorted.rejected,
                      "'" + path_of(file) + ".rejected'");
        }
        if (!trim(sorted.kept).empty()) {
            put_back(path_of(file), sorted.kept);
        }
        remove_file(taken.path);
        return sorted.submitted;
    }

private:
    std::string path_of(const ControlFile &file) const
    {
        return join_path(runs_, file.name);
    }

    Sorted submit_lines(const ControlFile &file, std::string_view text)
    {
        Sorted sorted;
        Transaction transaction(database_);
        while (!text.empty()) {
            const size_t newline = text.find('\n');
            const size_t length = newline == text.npos ? text.size() : newline + 1;
            submit_line(file, text.substr(0, length), sorted);
            text.remove_prefix(length);
        }
        transaction.commit();
        return sorted;
    }

    void submit_line(const ControlFile &file, std::string_view line, Sorted &sorted)
    {
        const ControlLine read = read_control_line(database_, run_id_, file, line);
        switch (read.kind) {
        case Kind::Nothing:
        case Kind::Foreign:
            sorted.kept += line;
            break;
        case Kind::Nonsense:
            reject_line(file, line, read.reason, sorted);
            break;
        case Kind::Ours:
            try {
                submit_control(database_, run_id_, file.verb, read.phase_id, "file",
                               clock_);
                sorted.submitted = true;
            } catch (const SqliteError &) {
                throw;
            } catch (const Error &error) {
                reject_line(file, line, error.what(), sorted);
            }
            break;
        }
    }

    void reject_line(const ControlFile &file, std::string_view line,
                     const std::string &reason, Sorted &sorted)
    {
        log_rejection(file, printable(trim(line)), reason);
        sorted.rejected += format_rfc3339(clock_.now()) + "\t" + reason + "\t" +
                           printable(trim(line), largest_file) + "\n";
    }

    void reject_whole(const Taken &taken, const std::string &reason)
    {
        Transaction transaction(database_);
        log_rejection(*taken.file, {}, reason);
        move_to_rejected(taken.path, path_of(*taken.file) + ".rejected");
        transaction.commit();
    }

    void log_rejection(const ControlFile &file, std::string_view line,
                       std::string_view reason)
    {
        const std::string detail = Json::object()
                                       .set("file", file.name)
                                       .set("line", line)
                                       .set("reason", reason)
                                       .dump();
        append_event(database_, "control.rejected", run_id_, {}, 0, detail);
    }

    Sqlite &database_;
    const std::string &runs_;
    std::string_view run_id_;
    const Clock &clock_;
};

} // namespace

ControlFiles::ControlFiles(State &state, std::string_view run_id, const Clock &clock)
    : state_(state)
    , run_id_(run_id)
    , clock_(clock)
{
}

bool ControlFiles::is_control_file(std::string_view name)
{
    return std::ranges::any_of(
        control_files, [&](const ControlFile &file) { return file.name == name; });
}

bool ControlFiles::take()
{
    Taker taker(state_, run_id_, clock_);
    const std::string &runs = state_.paths().runs;
    const auto wanted = [&](const ControlFile &file) { return taker.wants(file); };
    if (std::ranges::none_of(control_files, wanted) && find_taken(runs).empty()) {
        return false;
    }
    const Fd lock = lock_control_files(runs);
    bool submitted = false;
    for (const Taken &taken : find_taken(runs)) {
        submitted = taker.carry_out(taken) || submitted;
    }
    for (const ControlFile &file : control_files) {
        if (taker.wants(file)) {
            submitted = taker.carry_out(taker.take_away(file)) || submitted;
        }
    }
    return submitted;
}

} // namespace ap
