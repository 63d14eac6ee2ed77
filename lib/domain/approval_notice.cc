#include "domain/approval_notice.hh"

#include "base/error.hh"
#include "domain/config.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <chrono>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_notice = 10s;

std::string run_command(const std::vector<std::string> &argv, const std::string &input)
{
    const std::string name = "approval command '" + argv.front() + "'";
    Child child({.argv = argv, .standard_input = memory_file(input)});
    const std::optional<int> status = child.wait(longest_notice);
    return !status        ? name + " was ended: it took more than 10 seconds"
           : *status != 0 ? name + " failed with status " + std::to_string(*status)
                          : "";
}

void note_failure(State &state, const Approval &approval, const std::string &reason)
{
    append_event(state.database(), "approval.unnotified", approval.run_id,
                 approval.phase_id, approval.attempt.value_or(0),
                 Json::object()
                     .set("approval_id", approval.approval_id)
                     .set("reason", reason)
                     .dump());
}

} // namespace

std::string notify_of_approval(State &state, int64_t approval_id, const Clock &clock)
{
    const Approval approval = show_approval(state.database(), approval_id, clock);
    std::string failure;
    try {
        const Config config = load_config(state.paths());
        if (!config.approval_command.empty()) {
            failure = run_command(config.approval_command,
                                  approval_to_json(approval, true).dump() + "\n");
        }
        note_notified(state.database(), approval_id, clock);
    } catch (const Error &error) {
        failure = error.what();
    }
    if (!failure.empty()) {
        note_failure(state, approval, failure);
    }
    return failure;
}

void ApprovalNotices::start(State &state, int64_t approval_id)
{
    std::erase_if(under_way_, [](Child &child) { return child.status().has_value(); });
    try {
        Child &child = under_way_.emplace_back(
            ChildCommand{{join_path(program_directory(), "ap-approve"), "notify", "--db",
                          state.paths().database, std::to_string(approval_id)}});
        child.leave(); // it ends by itself, whether or not this process is there
    } catch (const SystemError &error) {
        note_failure(state, show_approval(state.database(), approval_id, SystemClock()),
                     error.what());
    }
}

} // namespace ap
