#pragma once

#include <string_view>

namespace ap::migrations_sql {

// People are told of a question by a command that runs after the question is recorded.
// Until it has, the notice is owed, whatever becomes of the process that asked.
inline constexpr std::string_view approval_notices = R"sql(
ALTER TABLE approvals ADD COLUMN notified_at INTEGER;
UPDATE approvals SET notified_at = requested_at;
)sql";

} // namespace ap::migrations_sql
