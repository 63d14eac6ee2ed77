#pragma once

#include "sys/fd.hh"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ap {

/// A program to run beside this process.
struct ChildCommand
{
    std::vector<std::string> argv; ///< looked up in PATH
    Fd standard_input{};           ///< none: /dev/null
    Fd standard_output{};          ///< none: this process's
    Fd standard_error{};           ///< none: this process's
};

/// A program that runs beside this process, with its environment and directory, in a
/// session of its own, with no signal blocked or ignored. One that still runs at the end
/// of this object's life is killed, with its process group, unless leave() was called.
class Child
{
public:
    /// Starts it; throws SystemError naming the program if that fails.
    explicit Child(ChildCommand command);
    Child(Child &&other) noexcept;
    Child &operator=(Child &&other) noexcept;
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child();

    pid_t pid() const noexcept { return pid_; }

    /// Readable when it has ended.
    int fd() const noexcept { return ended_.get(); }

    /// Its exit status, or 128 and the signal that killed it; nothing while it runs.
    std::optional<int> status();

    /// Waits for its end for at most `limit`; what status() says then.
    std::optional<int> wait(std::chrono::milliseconds limit);

    /// Sends `signal` to its process group.
    void signal(int signal) noexcept;

    /// It may outlive this object.
    void leave() noexcept { left_ = true; }

private:
    void end() noexcept;

    pid_t pid_ = -1;
    Fd ended_;
    std::optional<int> status_;
    bool left_ = false;
};

/// A file in memory that holds `text` and is read from its beginning; for a child's
/// standard input, which may then be long and needs nobody to feed it.
Fd memory_file(std::string_view text);

} // namespace ap
