#include "cli/tool.hh"

#include "base/error.hh"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

namespace ap {

namespace {

// sd-daemon(3): a line on stderr that starts so is a warning, or an error, in the
// journal.
constexpr std::string_view journal_warning = "<4>";
constexpr std::string_view journal_error = "<3>";

void complain(std::string_view who, std::string_view message, std::string_view priority)
{
    std::string line(std::getenv("JOURNAL_STREAM") == nullptr ? std::string_view()
                                                              : priority);
    line.append(who).append(": ").append(message).append("\n");
    // Nothing can be done when standard error itself is gone.
    static_cast<void>(std::fflush(stdout));
    static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

void flush_output()
{
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw_errno("cannot write standard output");
    }
}

ExitStatus run_work(const ToolSpec &spec, int argc, char **argv,
                    const std::function<ExitStatus(const Arguments &)> &work)
{
    const Arguments arguments(spec, argc, argv);
    ExitStatus status = ExitStatus::Done;
    if (arguments.has("help")) {
        print(help_text(spec));
    } else if (arguments.has("version")) {
        print(std::string(spec.name) + " " AP_VERSION "\n");
    } else {
        status = work(arguments);
    }
    flush_output();
    return status;
}

} // namespace

int run_tool(const ToolSpec &spec, int argc, char **argv,
             const std::function<ExitStatus(const Arguments &)> &work)
{
    try {
        return static_cast<int>(run_work(spec, argc, argv, work));
    } catch (const UsageError &error) {
        complain(spec.name, error.what(), journal_error);
        complain(spec.name, "try '" + std::string(spec.name) + " --help'", journal_error);
        return static_cast<int>(error.status());
    } catch (const Error &error) {
        complain(spec.name, error.what(), journal_error);
        return static_cast<int>(error.status());
    } catch (const std::exception &error) {
        complain(spec.name, std::string("internal error: ") + error.what(),
                 journal_error);
        return static_cast<int>(ExitStatus::Bug);
    }
}

void print(std::string_view text)
{
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
        throw_errno("cannot write standard output");
    }
}

void warn(std::string_view message)
{
    complain(program_invocation_short_name, message, journal_warning);
}

bool can_redraw(int fd)
{
    const char *terminal = std::getenv("TERM");
    return isatty(fd) != 0 && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

bool use_colour(int fd)
{
    return can_redraw(fd) && std::getenv("NO_COLOR") == nullptr;
}

} // namespace ap
