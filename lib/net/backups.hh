#pragma once

#include "base/clock.hh"
#include "domain/state.hh"
#include "sys/child.hh"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// An archive in the directory of backups.
struct BackupFile
{
    std::string name; ///< without directory
    int64_t bytes = 0;
    UnixMs written_at = 0;
};

/// The backups a server offers: the archives of one directory (AUTOPACK_BACKUP_DIR), and
/// ap-backup as a child process that adds one. May be used from several threads.
class Backups
{
public:
    explicit Backups(StatePaths paths)
        : paths_(std::move(paths))
    {
    }

    /// The archives, the newest first; what is in the directory besides is left out.
    std::vector<BackupFile> list() const;

    /// The path of an archive; Error(NoInput) if `name` is none of list().
    std::string path_of(const std::string &name) const;

    /// Starts a backup. Throws Error(TryAgain) while one is being made.
    void start();

    /// "idle", "running", or, until the next begins, "failed".
    std::string state();

private:
    std::string directory() const;

    StatePaths paths_;
    std::mutex mutex_;
    std::optional<Child> child_;
};

} // namespace ap
