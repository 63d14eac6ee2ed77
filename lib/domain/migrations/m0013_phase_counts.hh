#pragma once

#include <string_view>

namespace ap::migrations_sql {

// A list of runs tells how far each is, as often as somebody looks. To count its phases
// for that costs more the larger the run.
inline constexpr std::string_view phase_counts = R"sql(
ALTER TABLE runs ADD COLUMN phases INTEGER NOT NULL DEFAULT 0 CHECK (phases >= 0);
ALTER TABLE runs ADD COLUMN complete_phases INTEGER NOT NULL DEFAULT 0
    CHECK (complete_phases >= 0);
UPDATE runs SET (phases, complete_phases) = (
    SELECT count(*), coalesce(sum(p.status = 'COMPLETE'), 0) FROM phases p
    WHERE p.run_id = runs.run_id);
)sql";

} // namespace ap::migrations_sql
