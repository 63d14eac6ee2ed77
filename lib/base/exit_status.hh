#pragma once

#include <string_view>

namespace ap {

/// Every exit status of the suite. Numbers 64 to 78 are those of sysexits(3); 80 to 85
/// are ours. The table is explained for users in ap-exit(7) and only there.
enum class ExitStatus : int {
    Done = 0,
    Failed = 1,
    Usage = 2,
    BadData = 65,
    NoInput = 66,
    Unavailable = 69,
    Bug = 70,
    CannotCreate = 73,
    InputOutput = 74,
    TryAgain = 75,
    NoPermission = 77,
    Config = 78,
    BudgetExhausted = 80,
    BreakerOpen = 81,
    Stopped = 82,
    Aborted = 83,
    TimedOut = 84,
    ApprovalNeeded = 85,
};

/// One row of the table in ap-exit(7).
struct ExitStatusName
{
    ExitStatus status;
    std::string_view name;
};

/// All statuses in rising order with the one-line meaning that ap-exit(7) prints.
inline constexpr ExitStatusName exit_status_names[] = {
    {ExitStatus::Done, "done"},
    {ExitStatus::Failed, "the work failed"},
    {ExitStatus::Usage, "usage error"},
    {ExitStatus::BadData, "bad input data"},
    {ExitStatus::NoInput, "no such input"},
    {ExitStatus::Unavailable, "service unavailable"},
    {ExitStatus::Bug, "internal error"},
    {ExitStatus::CannotCreate, "cannot create output"},
    {ExitStatus::InputOutput, "input/output error"},
    {ExitStatus::TryAgain, "temporary failure, try again"},
    {ExitStatus::NoPermission, "permission denied"},
    {ExitStatus::Config, "configuration error"},
    {ExitStatus::BudgetExhausted, "budget exhausted"},
    {ExitStatus::BreakerOpen, "circuit breaker open"},
    {ExitStatus::Stopped, "stopped on request"},
    {ExitStatus::Aborted, "aborted on request"},
    {ExitStatus::TimedOut, "timed out"},
    {ExitStatus::ApprovalNeeded, "approval needed"},
};

} // namespace ap
