#pragma once

#include <chrono>
#include <string>
#include <termios.h>
#include <vector>

namespace ap {

/// The whole terminal for as long as the object lives: another screen, no echo, keys as
/// they are pressed. What was there before is there again afterwards.
class Screen
{
public:
    /// Throws Error(Usage) if standard input or output is no terminal.
    Screen();
    ~Screen();
    Screen(const Screen &) = delete;
    Screen &operator=(const Screen &) = delete;

    /// Shows these lines, cut to the terminal's size. Line `marked` is shown inverted.
    void show(const std::vector<std::string> &lines, size_t marked);

    enum class Key { None, Up, Down, Enter, Escape, Letter, Ended };
    struct Press
    {
        Key key = Key::None;
        char letter = 0; ///< lower case
    };

    /// The next key, or None after `timeout` or when the terminal's size changed.
    Press wait(std::chrono::milliseconds timeout);

private:
    termios before_{};
};

/// The terminal's size; 80 by 24 if it does not tell.
struct TerminalSize
{
    int columns = 80;
    int rows = 24;
};
TerminalSize terminal_size(int fd);

/// The start of `text` that is `columns` characters wide, each UTF-8 character counting
/// one.
std::string cut_to_width(const std::string &text, int columns);

} // namespace ap
