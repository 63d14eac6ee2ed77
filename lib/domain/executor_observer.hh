#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One thing that happened, for people and scripts to follow.
struct ExecutorEvent
{
    std::string kind; ///< run.started, phase.started, phase.checks, phase.ended,
                      ///< phase.retry, warning, note, run.ended
    std::string phase_id{};
    int64_t attempt = 0;
    std::string status{}; ///< of the attempt or run
    std::string message{};
    std::chrono::milliseconds elapsed{0};
    int64_t tokens = 0;
};

/// The event as ap-exec(1) prints it with --json; members that say nothing are left out.
Json executor_event_to_json(const ExecutorEvent &event, std::string_view run_id,
                            UnixMs at);

/// The event in one line for people, without the word that it is a warning.
std::string executor_event_line(const ExecutorEvent &event);

/// How far the run is, for a live display.
struct ExecutorRunView
{
    int64_t phases = 0;
    int64_t phases_complete = 0;
    int64_t tokens = 0;
    int64_t token_cap = 0;
};

/// A phase under way, for a live display.
struct ExecutorPhaseView
{
    std::string phase_id;
    int64_t attempt = 0;
    bool checking = false;
    std::chrono::milliseconds elapsed{0};
    int64_t tokens = 0;
    int64_t token_cap = 0;
};

/// Where an executor reports to.
class ExecutorObserver
{
public:
    virtual ~ExecutorObserver() = default;
    virtual void event(const ExecutorEvent &event) = 0;

    /// How often refresh() is wanted; nothing: never.
    virtual std::optional<std::chrono::milliseconds> refresh_interval() const
    {
        return std::nullopt;
    }
    virtual void refresh(const ExecutorRunView &, const std::vector<ExecutorPhaseView> &)
    {
    }

    /// SIGUSR1 asked for the status.
    virtual void status(const std::string &) {}
};

} // namespace ap
