#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// A capability is the key with which one attempt of a phase calls the gateway: 256
/// random bits that live in the attempt's environment only. The database holds nothing
/// but its hash, and it is good for nothing once the attempt has ended, however that came
/// about. It tells the gateway whose budget a call is charged to.

/// "apk-" and 43 characters of URL-safe base64.
inline constexpr std::string_view capability_prefix = "apk-";
inline constexpr size_t capability_length = 47;

/// Makes a new key for an attempt and stores its hash. Call in the transaction that opens
/// the attempt; the key is told here and never again.
std::string issue_capability(Sqlite &database, int64_t attempt_id, const Clock &clock);

/// Whether `key` has the form of a capability, so that a gateway can refuse a foreign key
/// (one of a provider, say) without asking the database.
bool is_capability(std::string_view key) noexcept;

/// What the database holds of a key, 64 hexadecimal digits: for caches of lookups.
std::string capability_hash(std::string_view key);

/// Who calls.
struct CapabilityOwner
{
    int64_t attempt_id = 0;
    std::string run_id;
    std::string phase_id;
    int64_t attempt = 0; ///< its number within the phase, from 1
};

/// The owner of a key while its attempt is open; nothing for a foreign, revoked or
/// expired one. One key look-up, whatever the history.
std::optional<CapabilityOwner> capability_owner(Sqlite &database, std::string_view key);

/// Makes the attempt's keys invalid before its end.
void revoke_capabilities(Sqlite &database, int64_t attempt_id, const Clock &clock);

} // namespace ap
