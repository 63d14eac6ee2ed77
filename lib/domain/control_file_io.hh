#pragma once

#include "sys/fd.hh"

#include <cstddef>
#include <string>

namespace ap {

/// A control file may be this large; no person writes more with echo.
inline constexpr size_t largest_control_file = size_t{64} * 1024;

/// What is in a control file (nothing if there is none), or why it cannot be one.
struct ControlFileContent
{
    std::string text;
    std::string unfit; ///< empty: the text is good
};

/// Reads the file at `path`, whatever it is, without following a link or waiting.
/// `after_writers` waits up to 50 ms for those that have it open for writing.
ControlFileContent read_control_file(const std::string &path, bool after_writers);

/// The lock that whoever takes control files out of the directory `runs` must hold. It
/// goes with the descriptor. Throws Error(TryAgain) if it is held for five seconds.
Fd lock_control_files(const std::string &runs);

/// Renames a control file; its writer may remove it at any moment, which withdraws what
/// it asked for and is no error.
void rename_if_there(const std::string &from, const std::string &to);

/// Opens `base` for appending, or `base`.2 and so on if something else than a file is in
/// the way.
Fd open_rejected(const std::string &base);

/// Moves whatever is at `from` to `base`, or to `base`.2 and so on if that is taken.
void move_to_rejected(const std::string &from, const std::string &base);

/// Appends `lines` to the control file at `path`. Others may have come to a new file of
/// that name meanwhile, the last of them without a newline.
void put_back(const std::string &path, const std::string &lines);

} // namespace ap
