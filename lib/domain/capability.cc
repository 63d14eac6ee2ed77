#include "domain/capability.hh"

#include "wrap/sodium.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t key_bytes = 32;

bool is_base64url(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

} // namespace

std::string issue_capability(Sqlite &database, int64_t attempt_id, const Clock &clock)
{
    std::string key = std::string(capability_prefix) + base64url(random_bytes(key_bytes));
    database
        .prepare("INSERT INTO capabilities (key_hash, attempt_id, created_at) "
                 "VALUES (?1, ?2, ?3)")
        .bind_all(capability_hash(key), attempt_id, clock.now())
        .run();
    return key;
}

bool is_capability(std::string_view key) noexcept
{
    return key.size() == capability_length && key.starts_with(capability_prefix) &&
           std::all_of(key.begin() + capability_prefix.size(), key.end(), is_base64url);
}

std::string capability_hash(std::string_view key)
{
    return blake2b_hex(key);
}

std::optional<CapabilityOwner> capability_owner(Sqlite &database, std::string_view key)
{
    if (!is_capability(key)) {
        return std::nullopt;
    }
    // Looked up by hash: how long that takes tells nothing about the keys there are.
    Statement query = database.prepare(
        "SELECT a.attempt_id, a.run_id, a.phase_id, a.number FROM capabilities c "
        "JOIN attempts a ON a.attempt_id = c.attempt_id "
        "WHERE c.key_hash = ?1 AND c.revoked_at IS NULL AND a.ended_at IS NULL");
    query.bind_all(capability_hash(key));
    if (!query.step()) {
        return std::nullopt;
    }
    return CapabilityOwner{query.integer(0), std::string(query.text(1)),
                           std::string(query.text(2)), query.integer(3)};
}

void revoke_capabilities(Sqlite &database, int64_t attempt_id, const Clock &clock)
{
    database
        .prepare("UPDATE capabilities SET revoked_at = ?2 "
                 "WHERE attempt_id = ?1 AND revoked_at IS NULL")
        .bind_all(attempt_id, clock.now())
        .run();
}

} // namespace ap
