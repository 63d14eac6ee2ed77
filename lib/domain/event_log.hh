#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One row of the event log.
struct Event
{
    int64_t event_id = 0;
    UnixMs created_at = 0;
    std::string kind;
    std::string run_id;   ///< empty for none
    std::string phase_id; ///< empty for none
    std::optional<int64_t> attempt;
    std::string detail; ///< a JSON object
};

/// The number of the newest event; 0 if there is none.
int64_t newest_event(Sqlite &database);

/// The events after number `after`, oldest first, at most `limit`; with a run id, only
/// that run's.
std::vector<Event> events_after(Sqlite &database, int64_t after, int64_t limit,
                                std::string_view run_id = {});

/// The newest events, newest first, at most `limit`; with a run id, only that run's.
std::vector<Event> newest_events(Sqlite &database, int64_t limit,
                                 std::string_view run_id = {});

Json event_to_json(const Event &event);

} // namespace ap
