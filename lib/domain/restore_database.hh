#pragma once

#include "domain/state.hh"
#include "wrap/sqlite.hh"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ap {

/// What became of the database of a backup.
struct PreparedDatabase
{
    int schema_from = 0;
    int schema_to = 0;
    std::vector<std::string> findings; ///< invariants that do not hold in it
};

/// Checks the database of a backup that was unpacked to a place of its own, brings it up
/// to this program's schema, and takes up what was under way in it. Throws Error(BadData)
/// if it is damaged, Error(Config) if it is newer.
PreparedDatabase prepare_database(const StatePaths &staged);

/// Throws Error(TryAgain) naming a living process that has the database open.
void refuse_users(Sqlite &database);

/// Takes the present database out of use: nobody has it open, nobody can open it as long
/// as the result lives, and no log lies beside it that a new one would be taken for.
/// Waits so long for others to let it go; Error(TryAgain) then. Nothing if it is too
/// damaged for that, which is what backups are for.
std::unique_ptr<Sqlite> take_out_of_use(const StatePaths &paths,
                                        std::chrono::milliseconds wait);

/// Gives `to` the permissions of `from`, if that is there, so that whoever could use the
/// one can use the other.
void copy_mode(const std::string &from, const std::string &to);

} // namespace ap
