#pragma once

#include <string>
#include <vector>

namespace ap {

/// How a child that shares this process's terminal and descriptors ended.
struct ChildResult
{
    int status = 0; ///< its exit status, 128 + signal, 126 if it cannot be executed, 127
                    ///< if there is no such program (as env(1))
    bool interrupted = false; ///< this process got SIGINT or SIGTERM, which was passed on
};

/// Runs a command to its end, passing SIGINT and SIGTERM on to it.
ChildResult run_child(const std::vector<std::string> &argv);

} // namespace ap
