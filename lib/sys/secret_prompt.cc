#include "sys/secret_prompt.hh"

#include "base/error.hh"
#include "sys/fd.hh"
#include "sys/signals.hh"

#include <csignal>
#include <optional>
#include <termios.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t longest_line = 4096;

// A terminal that does not echo; SIGINT and the like wait until it does again.
class EchoOff
{
public:
    EchoOff()
        : signals_({SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP})
    {
        if (tcgetattr(STDIN_FILENO, &before_) != 0) {
            throw_errno("cannot ask the terminal");
        }
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        quiet.c_lflag |= ECHONL;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ~EchoOff() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
    EchoOff(const EchoOff &) = delete;
    EchoOff &operator=(const EchoOff &) = delete;

private:
    SignalFd signals_;
    termios before_{};
};

// Byte by byte: what follows the line is somebody else's.
std::string read_line()
{
    std::string line;
    char byte = 0;
    while (line.size() < longest_line) {
        const ssize_t count = read_some(STDIN_FILENO, &byte, 1, "standard input");
        if (count == 0 && line.empty()) {
            throw Error(ExitStatus::BadData, "standard input: expected a secret on a "
                                             "line of its own, got nothing");
        }
        if (count <= 0 || byte == '\n') {
            return line;
        }
        if (byte == '\x03') {
            throw Error(ExitStatus::Failed, "given up");
        }
        line += byte;
    }
    throw Error(ExitStatus::BadData, "standard input: the line is too long");
}

void ask(const std::string &prompt)
{
    write_all(STDERR_FILENO, prompt + ": ", "standard error");
}

} // namespace

std::string read_secret(const std::string &prompt)
{
    if (isatty(STDIN_FILENO) == 0) {
        return read_line();
    }
    const EchoOff quiet;
    while (true) {
        ask(prompt);
        std::string first = read_line();
        ask(prompt + " again");
        if (read_line() == first) {
            return first;
        }
        write_all(STDERR_FILENO, "they differ\n", "standard error");
    }
}

} // namespace ap
