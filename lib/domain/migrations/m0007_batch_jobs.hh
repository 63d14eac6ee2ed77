#pragma once

#include <string_view>

namespace ap::migrations_sql {

// Attempts that a batch system executes. A row is committed before its job is submitted,
// so that a job is never forgotten; without an id it is looked for by its name.
inline constexpr std::string_view batch_jobs = R"sql(
CREATE TABLE batch_jobs (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempts ON DELETE CASCADE,
    launcher TEXT NOT NULL CHECK (launcher IN ('slurm')),
    name TEXT NOT NULL UNIQUE,
    job_id TEXT
) STRICT;
)sql";

} // namespace ap::migrations_sql
