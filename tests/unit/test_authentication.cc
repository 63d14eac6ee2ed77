#include "check.hh"
#include "exchanges.hh"
#include "support.hh"

#include "domain/api_tokens.hh"
#include "domain/users.hh"
#include "net/authentication.hh"

using namespace ap;
using check::FakeConnection;
using Kind = Principal::Kind;

namespace {

class Fixture
{
public:
    Principal who(std::initializer_list<HttpField> fields = {}) const
    {
        const FakeConnection connection("/", fields);
        return authenticate(database.get(), *connection.exchange, policy, clock);
    }

    std::string token(AccessScope scope)
    {
        return create_api_token(database.get(), "t", scope, 1000, clock).secret;
    }

    std::string session()
    {
        add_user(database.get(), "ada", "correct horse battery", AccessScope::Admin,
                 clock);
        return open_session(database.get(), list_users(database.get())[0].user_id, clock);
    }

    mutable check::TemporaryDatabase database;
    check::ManualClock clock;
    AuthenticationPolicy policy{.csrf_key = std::string(32, 'k')};
};

void everybody_on_the_loopback_operates_until_there_is_an_account()
{
    Fixture fixture;
    CHECK_EQUAL(fixture.who().kind, Kind::Local);
    CHECK(fixture.who().may(AccessScope::Operate));
    CHECK(!fixture.who().may(AccessScope::Admin));
    fixture.token(AccessScope::Read);
    CHECK_EQUAL(fixture.who().kind, Kind::Nobody);
}

void elsewhere_nobody_is_local()
{
    Fixture fixture;
    fixture.policy.is_local_only = false;
    CHECK_EQUAL(fixture.who().kind, Kind::Nobody);
    CHECK(!fixture.who().may(AccessScope::Read));
}

void the_unix_socket_may_everything()
{
    Fixture fixture;
    fixture.policy.is_unix_socket = true;
    CHECK(fixture.who().may(AccessScope::Admin));
}

void a_token_has_its_scope_until_it_ends()
{
    Fixture fixture;
    const std::string field = "Bearer " + fixture.token(AccessScope::Operate);
    CHECK_EQUAL(fixture.who({{"Authorization", field}}).kind, Kind::Token);
    CHECK(!fixture.who({{"Authorization", field}}).may(AccessScope::Admin));
    fixture.clock.advance(std::chrono::seconds(1));
    CHECK_EQUAL(fixture.who({{"Authorization", field}}).kind, Kind::Nobody);
}

void a_bad_token_is_nobody_even_where_everybody_is_local()
{
    const Fixture fixture;
    for (const char *field : {"Bearer apt-x", "Bearer ", "Basic YTpi", ""}) {
        CHECK_EQUAL(fixture.who({{"Authorization", field}}).kind, Kind::Nobody);
    }
}

void a_session_is_its_users_until_it_is_over()
{
    Fixture fixture;
    const std::string cookie =
        "x=y; " + session_cookie_name(false) + "=" + fixture.session();
    CHECK_EQUAL(fixture.who({{"Cookie", cookie}}).name, "ada");
    fixture.clock.advance(std::chrono::milliseconds(session_ms));
    CHECK_EQUAL(fixture.who({{"Cookie", cookie}}).kind, Kind::Nobody);
}

bool intended(const Principal &principal, std::initializer_list<HttpField> fields,
              std::string_view form_token, bool is_form)
{
    const FakeConnection connection("/", fields);
    return is_intended(*connection.exchange, principal, form_token, is_form);
}

void an_unsafe_request_of_a_session_brings_its_token_along()
{
    Fixture fixture;
    const std::string cookie = session_cookie_name(false) + "=" + fixture.session();
    const Principal ada = fixture.who({{"Cookie", cookie}});
    CHECK(!ada.csrf.empty());
    CHECK(!intended(ada, {}, "", false));
    CHECK(!intended(ada, {}, "other", true));
    CHECK(intended(ada, {}, ada.csrf, true));
    CHECK(intended(ada, {{"X-CSRF-Token", ada.csrf}}, "", false));
    CHECK(!intended(ada, {{"Sec-Fetch-Site", "cross-site"}}, ada.csrf, true));
    CHECK(!intended(ada, {{"Origin", "http://evil.example"}, {"Host", "localhost"}},
                    ada.csrf, true));
}

void a_program_with_a_token_needs_none_and_a_form_without_one_is_refused()
{
    Fixture fixture;
    const Principal local = fixture.who();
    CHECK(intended(local, {}, "", false));
    CHECK(!intended(local, {}, "", true));
    const std::string field = "Bearer " + fixture.token(AccessScope::Operate);
    CHECK(intended(fixture.who({{"Authorization", field}}), {}, "", false));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(everybody_on_the_loopback_operates_until_there_is_an_account),
        TEST(elsewhere_nobody_is_local),
        TEST(the_unix_socket_may_everything),
        TEST(a_token_has_its_scope_until_it_ends),
        TEST(a_bad_token_is_nobody_even_where_everybody_is_local),
        TEST(a_session_is_its_users_until_it_is_over),
        TEST(an_unsafe_request_of_a_session_brings_its_token_along),
        TEST(a_program_with_a_token_needs_none_and_a_form_without_one_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
