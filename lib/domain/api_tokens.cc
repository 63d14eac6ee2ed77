#include "domain/api_tokens.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/sodium.hh"

namespace ap {

namespace {

constexpr int64_t use_interval_ms = 60'000;

constexpr std::string_view token_columns =
    "SELECT token_id, name, scope, created_at, expires_at, last_used_at, revoked_at "
    "FROM api_tokens ";

ApiToken read_token(const Statement &row)
{
    ApiToken token;
    token.token_id = row.integer(0);
    token.name = row.text(1);
    // The table's CHECK admits no other names.
    token.scope = access_scope_of(row.text(2)).value_or(AccessScope::Read);
    token.created_at = row.integer(3);
    token.expires_at = row.optional_integer(4);
    token.last_used_at = row.optional_integer(5);
    token.revoked_at = row.optional_integer(6);
    return token;
}

Json instant(const std::optional<UnixMs> &at)
{
    return at ? Json::string(format_rfc3339(*at)) : Json::null();
}

} // namespace

NewApiToken create_api_token(Sqlite &database, std::string_view name, AccessScope scope,
                             std::optional<int64_t> lifetime_ms, const Clock &clock)
{
    if (!is_identifier(name)) {
        throw Error(ExitStatus::BadData, "name of a token: expected letters, digits, "
                                         "'.', '_' and '-', got '" +
                                             printable(name) + "'");
    }
    const std::string secret =
        std::string(api_token_prefix) + base64url(random_bytes(32));
    const UnixMs now = clock.now();
    database
        .prepare("INSERT INTO api_tokens (token_hash, name, scope, created_at, "
                 "expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind_all(blake2b_hex(secret), name, access_scope_name(scope), now,
                  lifetime_ms ? std::optional(now + *lifetime_ms) : std::nullopt)
        .run();
    return {database.last_insert_id(), secret};
}

std::vector<ApiToken> list_api_tokens(Sqlite &database, bool with_revoked)
{
    Statement rows =
        database.prepare(std::string(token_columns) +
                         "WHERE ?1 OR revoked_at IS NULL ORDER BY token_id DESC");
    rows.bind_all(with_revoked ? 1 : 0);
    std::vector<ApiToken> tokens;
    while (rows.step()) {
        tokens.push_back(read_token(rows));
    }
    return tokens;
}

void revoke_api_token(Sqlite &database, int64_t token_id, const Clock &clock)
{
    database
        .prepare("UPDATE api_tokens SET revoked_at = coalesce(revoked_at, ?2) "
                 "WHERE token_id = ?1")
        .bind_all(token_id, clock.now())
        .run();
    if (database.changes() == 0) {
        throw Error(ExitStatus::NoInput, "no token " + std::to_string(token_id));
    }
}

std::optional<ApiToken> find_api_token(Sqlite &database, std::string_view secret,
                                       const Clock &clock)
{
    Statement row = database.prepare(std::string(token_columns) +
                                     "WHERE token_hash = ?1 AND revoked_at IS NULL "
                                     "AND (expires_at IS NULL OR expires_at > ?2)");
    row.bind_all(blake2b_hex(secret), clock.now());
    return row.step() ? std::optional(read_token(row)) : std::nullopt;
}

bool is_use_to_be_noted(const ApiToken &token, UnixMs now)
{
    return !token.last_used_at || now - *token.last_used_at >= use_interval_ms ||
           now < *token.last_used_at;
}

void note_api_token_use(Sqlite &database, int64_t token_id, const Clock &clock)
{
    database.prepare("UPDATE api_tokens SET last_used_at = ?2 WHERE token_id = ?1")
        .bind_all(token_id, clock.now())
        .run();
}

Json api_token_to_json(const ApiToken &token)
{
    return Json::object()
        .set("token_id", token.token_id)
        .set("name", token.name)
        .set("scope", access_scope_name(token.scope))
        .set("created_at", format_rfc3339(token.created_at))
        .set("expires_at", instant(token.expires_at))
        .set("last_used_at", instant(token.last_used_at))
        .set("revoked_at", instant(token.revoked_at));
}

} // namespace ap
