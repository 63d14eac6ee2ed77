#include "base/error.hh"

#include "base/text.hh"
#include "domain/control.hh"
#include "domain/control_file_io.hh"
#include "domain/control_line.hh"
#include "sys/directory.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <unistd.h>

namespace ap {

namespace {

using Kind = ControlLine::Kind;

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
    std::vector<Taken> found;
    for (const std::string &name : names_in(runs)) {
        if (const ControlFile *file = file_of_taken_name(name)) {
            found.push_back({file, join_path(runs, name)});
        }
    }
    return found;
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
        const ControlFileContent content = read_control_file(path_of(file), false);
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
        const ControlFileContent content = read_control_file(taken.path, true);
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
                           printable(trim(line), largest_control_file) + "\n";
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
