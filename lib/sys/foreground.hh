#pragma once

#include <string>
#include <vector>

namespace ap {

/// How a command ended that ran in this process's place.
struct ForegroundResult
{
    int status = 0;           ///< its exit status, or 128 + the signal that killed it
    int start_errno = 0;      ///< it could not be started; then status is 127 or 126
    bool interrupted = false; ///< this process was told to end, and the command with it
};

/// Runs `argv` (looked up in PATH) with this process's streams, directory and
/// environment, and waits for it. INT, TERM, HUP and QUIT do not end this process
/// meanwhile but go on to the command; those a terminal sends to both are not doubled.
ForegroundResult run_foreground(const std::vector<std::string> &argv);

} // namespace ap
