#include "check.hh"
#include "domain/api_tokens.hh"
#include "domain/users.hh"
#include "support.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view password = "correct horse battery";

class Fixture
{
public:
    Fixture() { add_user(get(), "ada", password, AccessScope::Operate, clock); }
    Sqlite &get() { return database_.get(); }
    check::ManualClock clock;

private:
    check::TemporaryDatabase database_;
};

void knows_a_user_by_the_password()
{
    Fixture file;
    const auto user = check_password(file.get(), "ada", password);
    CHECK(user.has_value());
    CHECK_EQUAL(user->name, "ada");
    CHECK_EQUAL(user->scope, AccessScope::Operate);
    CHECK(!check_password(file.get(), "ada", "correct horse batterz"));
    CHECK(!check_password(file.get(), "bob", password));
}

void keeps_argon2id_and_not_the_password()
{
    Fixture file;
    const std::string hash = file.get().query_text("SELECT password_hash FROM users");
    CHECK(hash.starts_with("$argon2id$"));
}

void refuses_bad_names_and_passwords()
{
    Fixture file;
    const auto refused = [&](std::string_view name, std::string_view secret) {
        CHECK_THROWS(
            (add_user(file.get(), name, secret, AccessScope::Read, file.clock), 0), Error,
            [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::BadData); });
    };
    refused("no blanks", password);
    refused("bob", "short");
    refused("bob", std::string(longest_password + 1, 'x'));
    refused("ada", password);
    CHECK_EQUAL(list_users(file.get()).size(), 1u);
}

void a_session_lasts_its_time()
{
    Fixture file;
    const auto user = check_password(file.get(), "ada", password);
    const std::string secret = open_session(file.get(), user->user_id, file.clock);
    CHECK(session_user(file.get(), secret, file.clock)->name == "ada");
    CHECK(!session_user(file.get(), secret + "x", file.clock));
    file.clock.advance(std::chrono::milliseconds(session_ms));
    CHECK(!session_user(file.get(), secret, file.clock));
}

void a_session_ends_with_logout_password_and_user()
{
    Fixture file;
    const auto open = [&] {
        return open_session(file.get(), list_users(file.get())[0].user_id, file.clock);
    };
    std::string secret = open();
    close_session(file.get(), secret);
    CHECK(!session_user(file.get(), secret, file.clock));
    secret = open();
    set_password(file.get(), "ada", "another long password", file.clock);
    CHECK(!session_user(file.get(), secret, file.clock));
    secret = open();
    delete_user(file.get(), "ada");
    CHECK(!session_user(file.get(), secret, file.clock));
}

void sessions_that_are_over_are_forgotten()
{
    Fixture file;
    const int64_t ada = list_users(file.get())[0].user_id;
    open_session(file.get(), ada, file.clock);
    file.clock.advance(std::chrono::milliseconds(session_ms));
    open_session(file.get(), ada, file.clock);
    CHECK_EQUAL(file.get().query_integer("SELECT count(*) FROM sessions"), 1);
}

void no_secret_is_in_the_file()
{
    Fixture file;
    const std::string session = open_session(file.get(), 1, file.clock);
    const std::string token =
        create_api_token(file.get(), "ci", AccessScope::Read, std::nullopt, file.clock)
            .secret;
    file.get().execute("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string bytes = read_file(file.get().path(), 64 << 20);
    for (const std::string_view secret :
         {std::string_view(session), std::string_view(token), password}) {
        CHECK(bytes.find(secret) == std::string::npos);
    }
}

void a_token_is_good_until_it_expires_or_is_revoked()
{
    Fixture file;
    const NewApiToken brief =
        create_api_token(file.get(), "brief", AccessScope::Read, 60'000, file.clock);
    const NewApiToken lasting = create_api_token(
        file.get(), "lasting", AccessScope::Admin, std::nullopt, file.clock);
    CHECK(find_api_token(file.get(), brief.secret, file.clock)->name == "brief");
    file.clock.advance(60s);
    CHECK(!find_api_token(file.get(), brief.secret, file.clock));
    CHECK(find_api_token(file.get(), lasting.secret, file.clock)->scope ==
          AccessScope::Admin);
    revoke_api_token(file.get(), lasting.token_id, file.clock);
    CHECK(!find_api_token(file.get(), lasting.secret, file.clock));
    CHECK_EQUAL(list_api_tokens(file.get()).size(), 1u);
    CHECK_EQUAL(list_api_tokens(file.get(), true).size(), 2u);
}

void a_tokens_use_is_noted_once_a_minute()
{
    Fixture file;
    const NewApiToken made =
        create_api_token(file.get(), "ci", AccessScope::Read, std::nullopt, file.clock);
    const auto token = [&] {
        return *find_api_token(file.get(), made.secret, file.clock);
    };
    CHECK(is_use_to_be_noted(token(), file.clock.now()));
    note_api_token_use(file.get(), made.token_id, file.clock);
    file.clock.advance(59s);
    CHECK(!is_use_to_be_noted(token(), file.clock.now()));
    file.clock.advance(1s);
    CHECK(is_use_to_be_noted(token(), file.clock.now()));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(knows_a_user_by_the_password),
        TEST(keeps_argon2id_and_not_the_password),
        TEST(refuses_bad_names_and_passwords),
        TEST(a_session_lasts_its_time),
        TEST(a_session_ends_with_logout_password_and_user),
        TEST(sessions_that_are_over_are_forgotten),
        TEST(no_secret_is_in_the_file),
        TEST(a_token_is_good_until_it_expires_or_is_revoked),
        TEST(a_tokens_use_is_noted_once_a_minute),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
