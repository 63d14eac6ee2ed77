#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>

namespace ap {

/// What the database knows of itself.
struct DatabaseInfo
{
    std::string identity; ///< 32 hexadecimal digits; a copy has the same
    int schema_version = 0;
    std::optional<UnixMs> checked_at;      ///< when ap-db check last ran
    std::optional<int64_t> check_findings; ///< and what did not hold
};

DatabaseInfo database_info(Sqlite &database);

/// Notes that check_integrity() was run and found so many faults, if the file can be
/// written now; one that cannot was checked all the same.
void note_check(Sqlite &database, int64_t findings, const Clock &clock);

} // namespace ap
