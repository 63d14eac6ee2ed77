#pragma once

#include <string_view>

namespace ap::migrations_sql {

// How much of an attempt's usage spool is recorded, and a whole index for the foreign key
// to executors: without it, deleting a run looks through all attempts there are once for
// each of its executors. It serves what the index of open attempts alone did.
inline constexpr std::string_view attempts = R"sql(
ALTER TABLE attempts ADD COLUMN
    usage_read INTEGER NOT NULL DEFAULT 0 CHECK (usage_read >= 0);
DROP INDEX attempts_open_by_executor;
CREATE INDEX attempts_by_executor ON attempts (executor_id);
)sql";

} // namespace ap::migrations_sql
