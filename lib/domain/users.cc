#include "domain/users.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/sodium.hh"

namespace ap {

namespace {

constexpr std::string_view user_columns =
    "SELECT u.user_id, u.name, u.scope, u.created_at, u.last_login_at";

User read_user(const Statement &row)
{
    User user;
    user.user_id = row.integer(0);
    user.name = row.text(1);
    // The table's CHECK admits no other names.
    user.scope = access_scope_of(row.text(2)).value_or(AccessScope::Read);
    user.created_at = row.integer(3);
    user.last_login_at = row.optional_integer(4);
    return user;
}

void require_password(std::string_view password)
{
    if (password.size() < shortest_password || password.size() > longest_password) {
        throw Error(ExitStatus::BadData,
                    "password: expected " + std::to_string(shortest_password) + " to " +
                        std::to_string(longest_password) + " bytes, got " +
                        std::to_string(password.size()));
    }
}

[[noreturn]] void throw_no_user(std::string_view name)
{
    throw Error(ExitStatus::NoInput, "no user '" + printable(name) + "'");
}

} // namespace

void add_user(Sqlite &database, std::string_view name, std::string_view password,
              AccessScope scope, const Clock &clock)
{
    if (!is_identifier(name)) {
        throw Error(ExitStatus::BadData, "name of a user: expected letters, digits, '.', "
                                         "'_' and '-', got '" +
                                             printable(name) + "'");
    }
    require_password(password);
    const std::string hash = hash_password(password);
    database
        .prepare("INSERT INTO users (name, password_hash, scope, created_at, "
                 "password_set_at) VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING")
        .bind_all(name, hash, access_scope_name(scope), clock.now())
        .run();
    if (database.changes() == 0) {
        throw Error(ExitStatus::BadData, "user '" + std::string(name) + "' exists");
    }
}

void set_password(Sqlite &database, std::string_view name, std::string_view password,
                  const Clock &clock)
{
    require_password(password);
    const std::string hash = hash_password(password);
    in_transaction(database, [&] {
        database
            .prepare("UPDATE users SET password_hash = ?2, password_set_at = ?3 "
                     "WHERE name = ?1")
            .bind_all(name, hash, clock.now())
            .run();
        if (database.changes() == 0) {
            throw_no_user(name);
        }
        database
            .prepare("DELETE FROM sessions WHERE user_id = "
                     "(SELECT user_id FROM users WHERE name = ?1)")
            .bind_all(name)
            .run();
    });
}

void delete_user(Sqlite &database, std::string_view name)
{
    database.prepare("DELETE FROM users WHERE name = ?1").bind_all(name).run();
    if (database.changes() == 0) {
        throw_no_user(name);
    }
}

std::vector<User> list_users(Sqlite &database)
{
    Statement rows =
        database.prepare(std::string(user_columns) + " FROM users u ORDER BY u.name");
    std::vector<User> users;
    while (rows.step()) {
        users.push_back(read_user(rows));
    }
    return users;
}

std::optional<User> check_password(Sqlite &database, std::string_view name,
                                   std::string_view password)
{
    Statement row = database.prepare(std::string(user_columns) +
                                     ", u.password_hash FROM users u WHERE u.name = ?1");
    const bool exists = row.bind_all(name).step();
    // A hash of nobody's password with the same cost.
    const std::string hash =
        exists ? std::string(row.text(5)) : unmatchable_password_hash();
    const bool matches =
        password.size() <= longest_password && is_password_of(hash, password);
    return exists && matches ? std::optional(read_user(row)) : std::nullopt;
}

Json user_to_json(const User &user)
{
    return Json::object()
        .set("name", user.name)
        .set("scope", access_scope_name(user.scope))
        .set("created_at", format_rfc3339(user.created_at))
        .set("last_login_at", user.last_login_at
                                  ? std::optional(format_rfc3339(*user.last_login_at))
                                  : std::nullopt);
}

std::string open_session(Sqlite &database, int64_t user_id, const Clock &clock)
{
    std::string secret = base64url(random_bytes(32));
    const UnixMs now = clock.now();
    in_transaction(database, [&] {
        database.prepare("DELETE FROM sessions WHERE expires_at <= ?1")
            .bind_all(now)
            .run();
        database
            .prepare("INSERT INTO sessions (session_hash, user_id, created_at, "
                     "expires_at) VALUES (?1, ?2, ?3, ?4)")
            .bind_all(blake2b_hex(secret), user_id, now, now + session_ms)
            .run();
        database.prepare("UPDATE users SET last_login_at = ?2 WHERE user_id = ?1")
            .bind_all(user_id, now)
            .run();
    });
    return secret;
}

std::optional<User> session_user(Sqlite &database, std::string_view secret,
                                 const Clock &clock)
{
    // A session from the future is one from before the clock was set back.
    Statement row = database.prepare(
        std::string(user_columns) +
        " FROM sessions s JOIN users u USING (user_id) WHERE s.session_hash = ?1 "
        "AND s.expires_at > ?2 AND s.created_at <= ?2");
    row.bind_all(blake2b_hex(secret), clock.now());
    return row.step() ? std::optional(read_user(row)) : std::nullopt;
}

void close_session(Sqlite &database, std::string_view secret)
{
    database.prepare("DELETE FROM sessions WHERE session_hash = ?1")
        .bind_all(blake2b_hex(secret))
        .run();
}

} // namespace ap
