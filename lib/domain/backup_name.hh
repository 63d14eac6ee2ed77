#pragma once

#include "base/clock.hh"
#include "wrap/archive.hh"

#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// The compression that a file name asks for: .tar.gz and .tgz, .tar.zst and .tzst, each
/// perhaps with .enc behind it; nothing for other names.
std::optional<Compression> compression_of_name(std::string_view name);

/// "autopack-backup-20261124-104252.tar.zst" for `now` in local time.
std::string dated_backup_name(UnixMs now, Compression compression, bool encrypted);

} // namespace ap
