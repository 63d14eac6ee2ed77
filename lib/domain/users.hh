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

/// Somebody who may log in.
struct User
{
    int64_t user_id = 0;
    std::string name;
    AccessScope scope = AccessScope::Read;
    UnixMs created_at = 0;
    std::optional<UnixMs> last_login_at;
};

inline constexpr size_t shortest_password = 12; ///< bytes
inline constexpr size_t longest_password = 1024;

/// Records a user; the password is kept as an argon2id hash. Throws Error(BadData) for a
/// name that is no identifier or is taken, or a password that is too short or too long.
void add_user(Sqlite &database, std::string_view name, std::string_view password,
              AccessScope scope, const Clock &clock);

/// Replaces the password and ends the user's sessions. Error(NoInput) for an unknown
/// user; the password as in add_user().
void set_password(Sqlite &database, std::string_view name, std::string_view password,
                  const Clock &clock);

/// Removes the user and their sessions. Error(NoInput) for an unknown user.
void delete_user(Sqlite &database, std::string_view name);

/// All users by name.
std::vector<User> list_users(Sqlite &database);

/// The user, if the password is theirs. Takes as long for a name that does not exist, so
/// that names cannot be found out by the clock. About 50 ms and 64 MiB.
std::optional<User> check_password(Sqlite &database, std::string_view name,
                                   std::string_view password);

Json user_to_json(const User &user);

/// How long a login lasts.
inline constexpr int64_t session_ms = int64_t{12} * 3'600'000;

/// Opens a session, notes the login, and forgets sessions that are over. Returns the
/// session's secret, which is not kept.
std::string open_session(Sqlite &database, int64_t user_id, const Clock &clock);

/// Whose session it is, while it lasts. One key look-up.
std::optional<User> session_user(Sqlite &database, std::string_view secret,
                                 const Clock &clock);

/// Ends a session; one that does not exist is no error.
void close_session(Sqlite &database, std::string_view secret);

} // namespace ap
