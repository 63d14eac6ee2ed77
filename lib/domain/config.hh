#pragma once

#include "domain/plan.hh"
#include "domain/state.hh"
#include "domain/token_caps.hh"

#include <cstdint>
#include <string>
#include <vector>

namespace ap {

/// What people tune, with its defaults.
struct Config
{
    static constexpr int most_jobs = 1024;

    TokenCaps token_caps;
    int64_t output_limit = 16 << 20; ///< bytes kept of each output file and log
    int jobs = 1;                    ///< phases an executor executes at once
    /// Where ap-serve has backups written; absolute.
    std::string backup_directory = "backups";
    std::vector<std::string> approval_command;   ///< told of questions; empty: none
    LauncherKind launcher = LauncherKind::Local; ///< of phases that name none
    bool keeps_ledger = true; ///< the end of a run is written into the ledger documents
};

/// Reads the settings: each from the environment, else from the configuration file, else
/// its default. The file is the one that AUTOPACK_CONFIG names, else autopack.conf beside
/// the database if there is one; see autopack.conf(5). Throws Error(Config) for a file
/// that cannot be read, an unknown name or a malformed value, naming the variable or file
/// and line. A value in the file must be sound even if the environment overrides it.
Config load_config(const StatePaths &paths);

} // namespace ap
