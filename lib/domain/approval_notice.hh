#pragma once

#include "domain/approval.hh"
#include "sys/child.hh"

#include <string>
#include <vector>

namespace ap {

/// Runs the command of AUTOPACK_APPROVAL_COMMAND (autopack.conf(5)), if there is one,
/// with the question as a line of JSON on its standard input. Waits for it, ten seconds
/// at most. What goes wrong is told in a line, and in an approval.unnotified event, and
/// does not touch the question itself. Returns that line; empty: nothing did. Until the
/// command was run, if there is one, it is owed (unnotified_approvals()): it is run once
/// at least, and again if this process is killed meanwhile.
std::string notify_of_approval(State &state, int64_t approval_id, const Clock &clock);

/// Has `ap-approve notify` do the same beside this process, and forgets it. A program
/// that cannot be started is an event only.
class ApprovalNotices
{
public:
    void start(State &state, int64_t approval_id);

private:
    std::vector<Child> under_way_;
};

} // namespace ap
