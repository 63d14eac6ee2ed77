#pragma once

#include "wrap/sqlite.hh"

#include <span>
#include <string_view>

namespace ap {

/// One numbered step of the schema. Numbers start at 1 and rise; that of the last one
/// applied is the file's PRAGMA user_version.
struct Migration
{
    int version;
    std::string_view name;
    std::string_view sql;
};

/// The value of PRAGMA application_id in every database of the suite ("apk1").
inline constexpr int application_id = 0x61706b31;

/// All steps this program knows, in order.
std::span<const Migration> migrations();

/// The schema version of the file: 0 for an empty one. Throws Error(BadData) if it is a
/// database of another application.
int schema_version(Sqlite &database);

/// What migrate() did.
struct MigrationResult
{
    int from = 0;
    int to = 0;
    std::string snapshot; ///< path of the copy made before the first step; empty if none
};

/// Brings the file to the last of `steps`, all or nothing, in one transaction. A file
/// with a schema is first copied to "<path>.before-migration-<to>-from-<from>" (synced,
/// temporary name, renamed). Throws Error(Config) if the file is newer than `steps`.
MigrationResult migrate(Sqlite &database, std::span<const Migration> steps);

} // namespace ap
