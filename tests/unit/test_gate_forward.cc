#include "check.hh"

#include "net/gate_forward.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

std::string shown(std::span<const HttpField> fields)
{
    std::string text;
    for (const HttpField &field : fields) {
        text += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
    return text;
}

std::string key_of(std::initializer_list<HttpField> fields, std::string_view query = "")
{
    const std::vector<HttpField> all(fields);
    return std::string(presented_key(all, query));
}

void a_key_is_found_wherever_clients_put_it()
{
    CHECK_EQUAL(key_of({{"X-Api-Key", "k1"}}), "k1");
    CHECK_EQUAL(key_of({{"Authorization", "Bearer k2"}}), "k2");
    CHECK_EQUAL(key_of({{"authorization", "bearer  k2 "}}), "k2");
    CHECK_EQUAL(key_of({{"X-Goog-Api-Key", "k3"}}), "k3");
    CHECK_EQUAL(key_of({}, "alt=sse&key=k4&x=1"), "k4");
    CHECK_EQUAL(key_of({{"x-api-key", "k1"}, {"authorization", "Bearer k2"}}), "k1");
    CHECK_EQUAL(key_of({{"authorization", "Basic abc"}}), "");
    CHECK_EQUAL(key_of({{"authorization", "Bearer"}}, "akey=1"), "");
}

void a_gemini_path_names_another_model()
{
    CHECK_EQUAL(target_with_model(
                    "/v1beta/models/gem-1:generateContent?x=/gem-1:", "gem-1", "gem-2"),
                "/v1beta/models/gem-2:generateContent?x=/gem-1:");
}

void fields_pass_with_the_real_key_in_place_of_ours()
{
    const HttpField fields[] = {
        {"Host", "gate"},          {"X-Api-Key", "apk-ours"},
        {"anthropic-beta", "one"}, {"Connection", "keep-alive, X-Private"},
        {"X-Private", "mine"},     {"Anthropic-Beta", "two"},
        {"TE", "trailers"}};
    GateProvider provider;
    provider.family = "anthropic";
    provider.key = "sk-real";
    std::string bearer;
    CHECK_EQUAL(shown(forwarded_fields(fields, provider, bearer)),
                "Host=gate;anthropic-beta=one;Anthropic-Beta=two;x-api-key=sk-real;");
    provider.bearer = true;
    CHECK_EQUAL(
        shown(forwarded_fields(fields, provider, bearer)),
        "Host=gate;anthropic-beta=one;Anthropic-Beta=two;Authorization=Bearer sk-real;");
    provider.bearer = false;
    provider.family = "openai";
    CHECK(shown(forwarded_fields(fields, provider, bearer))
              .ends_with("Authorization=Bearer sk-real;"));
    provider.family = "gemini";
    CHECK(shown(forwarded_fields(fields, provider, bearer))
              .ends_with("x-goog-api-key=sk-real;"));
    provider.key.clear();
    CHECK_EQUAL(shown(forwarded_fields(fields, provider, bearer)),
                "Host=gate;anthropic-beta=one;Anthropic-Beta=two;");
}

void an_answer_passes_less_what_is_the_connections()
{
    const HttpField fields[] = {{"Content-Type", "text/plain"},
                                {"Transfer-Encoding", "chunked"},
                                {"Connection", "close"},
                                {"Set-Cookie", "a"},
                                {"set-cookie", "b"}};
    CHECK_EQUAL(shown(answered_fields(fields)),
                "Content-Type=text/plain;Set-Cookie=a;set-cookie=b;");
}

void a_family_is_guessed_by_what_only_its_clients_send()
{
    const HttpField version[] = {{"Anthropic-Version", "2023-06-01"}};
    const HttpField goog[] = {{"x-goog-api-key", "k"}};
    const HttpField bearer[] = {{"Authorization", "Bearer k"}};
    CHECK_EQUAL(guessed_family(version, "/v1/models"), "anthropic");
    CHECK_EQUAL(guessed_family(goog, "/v1beta/models"), "gemini");
    CHECK_EQUAL(guessed_family({}, "/v1beta/models"), "gemini");
    CHECK_EQUAL(guessed_family(bearer, "/v1/models"), "openai");
}

void retry_after_is_seconds_or_a_date()
{
    const auto now = std::chrono::system_clock::from_time_t(1'445'412'480);
    const HttpField seconds[] = {{"Retry-After", "2"}};
    const HttpField date[] = {{"retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"}};
    const HttpField past[] = {{"retry-after", "Wed, 21 Oct 2015 07:00:00 GMT"}};
    const HttpField none[] = {{"retry-after", "soon"}};
    CHECK(retry_after(seconds, now) == 2s);
    CHECK(retry_after(date, now) == 30s);
    CHECK(retry_after(past, now) == 0s);
    CHECK(!retry_after(none, now));
    CHECK(!retry_after({}, now));
}

void a_breaker_has_a_name_that_may_be_one()
{
    CHECK_EQUAL(gate_breaker_name("main", "claude-sonnet-4"),
                "gate.main.claude-sonnet-4");
    CHECK_EQUAL(gate_breaker_name("main", "org/model:free"), "gate.main.org_model_free");
    CHECK_EQUAL(gate_breaker_name("main", ""), "gate.main");
    CHECK_EQUAL(gate_breaker_name("main", std::string(300, 'x')).size(), 128u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_key_is_found_wherever_clients_put_it),
        TEST(a_gemini_path_names_another_model),
        TEST(fields_pass_with_the_real_key_in_place_of_ours),
        TEST(an_answer_passes_less_what_is_the_connections),
        TEST(a_family_is_guessed_by_what_only_its_clients_send),
        TEST(retry_after_is_seconds_or_a_date),
        TEST(a_breaker_has_a_name_that_may_be_one),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
