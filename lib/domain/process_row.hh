#pragma once

#include "sys/process.hh"
#include "wrap/sqlite.hh"

namespace ap {

/// The process that a row names in the columns pid, pid_started and boot_id, which stand
/// beside each other from `first` on.
inline ProcessIdentity read_process(const Statement &row, int first)
{
    return {static_cast<pid_t>(row.integer(first)), row.integer(first + 1),
            std::string(row.text(first + 2))};
}

} // namespace ap
