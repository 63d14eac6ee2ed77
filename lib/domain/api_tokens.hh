#pragma once

#include "base/clock.hh"
#include "domain/access.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// A key with which a program uses the API; only its hash is kept.
struct ApiToken
{
    int64_t token_id = 0;
    std::string name; ///< what it is for, for people
    AccessScope scope = AccessScope::Read;
    UnixMs created_at = 0;
    std::optional<UnixMs> expires_at;
    std::optional<UnixMs> last_used_at; ///< to the minute
    std::optional<UnixMs> revoked_at;
};

/// "apt-" and 43 characters of URL-safe base64.
inline constexpr std::string_view api_token_prefix = "apt-";

/// A new token as its maker sees it, once.
struct NewApiToken
{
    int64_t token_id = 0;
    std::string secret;
};

/// Makes a token; it ends `lifetime_ms` from now if that is given. Throws Error(BadData)
/// if the name is no identifier.
NewApiToken create_api_token(Sqlite &database, std::string_view name, AccessScope scope,
                             std::optional<int64_t> lifetime_ms, const Clock &clock);

/// All tokens, the newest first; revoked ones only if asked for.
std::vector<ApiToken> list_api_tokens(Sqlite &database, bool with_revoked = false);

/// Makes a token useless from now on; Error(NoInput) for one that does not exist, and
/// nothing for one already revoked.
void revoke_api_token(Sqlite &database, int64_t token_id, const Clock &clock);

/// The token a secret belongs to while it is good. One key look-up.
std::optional<ApiToken> find_api_token(Sqlite &database, std::string_view secret,
                                       const Clock &clock);

/// Whether its last use is worth noting: not noted in the last minute.
bool is_use_to_be_noted(const ApiToken &token, UnixMs now);
void note_api_token_use(Sqlite &database, int64_t token_id, const Clock &clock);

Json api_token_to_json(const ApiToken &token);

} // namespace ap
