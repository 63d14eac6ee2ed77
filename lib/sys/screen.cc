#include "sys/screen.hh"

#include "base/error.hh"
#include "sys/fd.hh"

#include <array>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view enter = "\033[?1049h\033[?25l";
constexpr std::string_view leave = "\033[?25h\033[?1049l";
constexpr std::string_view home = "\033[H";
constexpr std::string_view clear_line = "\033[K";
constexpr std::string_view clear_rest = "\033[J";
constexpr std::string_view inverse = "\033[7m";
constexpr std::string_view plain = "\033[0m";

bool is_continuation(char byte)
{
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

Screen::Press press_of(std::string_view bytes)
{
    using Key = Screen::Key;
    if (bytes == "\033[A" || bytes == "\033OA") {
        return {Key::Up};
    }
    if (bytes == "\033[B" || bytes == "\033OB") {
        return {Key::Down};
    }
    if (bytes == "\033") {
        return {Key::Escape};
    }
    if (bytes == "\n" || bytes == "\r") {
        return {Key::Enter};
    }
    if (bytes.size() == 1) {
        const char byte = bytes[0];
        const bool upper = byte >= 'A' && byte <= 'Z';
        return {Key::Letter, upper ? static_cast<char>(byte - 'A' + 'a') : byte};
    }
    return {};
}

} // namespace

Screen::Screen()
{
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 ||
        tcgetattr(STDIN_FILENO, &before_) != 0) {
        throw UsageError("this needs a terminal");
    }
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    write_all(STDOUT_FILENO, enter, "the terminal");
}

Screen::~Screen()
{
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    // Nothing can be done when the terminal itself is gone.
    static_cast<void>(!write(STDOUT_FILENO, leave.data(), leave.size()));
}

void Screen::show(const std::vector<std::string> &lines, size_t marked)
{
    const TerminalSize size = terminal_size(STDOUT_FILENO);
    std::string text(home);
    for (size_t i = 0; i < lines.size() && i < static_cast<size_t>(size.rows); i++) {
        const std::string line = cut_to_width(lines[i], size.columns);
        text += i == 0 ? "" : "\r\n";
        text.append(marked == i ? inverse : "").append(line);
        text.append(marked == i ? plain : "").append(clear_line);
    }
    write_all(STDOUT_FILENO, text.append(clear_rest), "the terminal");
}

Screen::Press Screen::wait(std::chrono::milliseconds timeout)
{
    pollfd watched = {STDIN_FILENO, POLLIN, 0};
    if (poll(&watched, 1, static_cast<int>(timeout.count())) <= 0) {
        return {};
    }
    std::array<char, 16> bytes{};
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count <= 0) {
        return {Key::Ended};
    }
    return press_of({bytes.data(), static_cast<size_t>(count)});
}

TerminalSize terminal_size(int fd)
{
    winsize size{};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return {};
    }
    return {size.ws_col, size.ws_row};
}

std::string cut_to_width(const std::string &text, int columns)
{
    size_t end = 0;
    int width = 0;
    while (end < text.size()) {
        width += is_continuation(text[end]) ? 0 : 1;
        if (width > columns) {
            break;
        }
        end++;
    }
    return text.substr(0, end);
}

} // namespace ap
