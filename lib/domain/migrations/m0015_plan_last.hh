#pragma once

#include <string_view>

namespace ap::migrations_sql {

// A plan is by far the longest in the row of a run. SQLite finds a column by reading the
// row up to it: what stood behind the plan, which each list of runs wants, took all of
// its pages, for fifty runs of a thousand phases three times as long as without. A column
// that is added needs a default, which no program uses.
inline constexpr std::string_view plan_last = R"sql(
ALTER TABLE runs ADD COLUMN plan_text TEXT NOT NULL DEFAULT '{}';
UPDATE runs SET plan_text = plan;
ALTER TABLE runs DROP COLUMN plan;
ALTER TABLE runs RENAME COLUMN plan_text TO plan;
)sql";

} // namespace ap::migrations_sql
