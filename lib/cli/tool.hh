#pragma once

#include "base/exit_status.hh"
#include "cli/options.hh"

#include <functional>
#include <string_view>

namespace ap {

/// The body of every tool's main: parses, answers --help and --version, calls `work`,
/// flushes standard output (a failed flush is status 74), and turns an Error into
/// "TOOL: message" on stderr and its status; any other std::exception is an internal
/// error (70). SIGPIPE is left at its default, so a closed pipe ends the tool quietly.
int run_tool(const ToolSpec &spec, int argc, char **argv,
             const std::function<ExitStatus(const Arguments &)> &work);

/// Writes to standard output through stdio; throws SystemError when it fails.
void print(std::string_view text);

/// Writes "TOOL: message" to stderr; for warnings that do not end the tool. Under the
/// journal (JOURNAL_STREAM) the line starts with the <4> priority.
void warn(std::string_view message);

/// Whether `fd` (1 or 2) is a terminal whose lines can be drawn again: isatty, TERM not
/// "dumb".
bool can_redraw(int fd);

/// Whether `fd` may be coloured: can_redraw(), and no NO_COLOR.
bool use_colour(int fd);

} // namespace ap
