#include "check.hh"
#include "support.hh"

#include "domain/answer_cache.hh"
#include "sys/directory.hh"

using namespace ap;

namespace {

using Fields = std::vector<HttpField>;

std::string key(std::string_view scope, const Fields &fields,
                std::string_view body = "{}", std::string_view target = "/v1/messages")
{
    return answer_key(scope, "POST", target, fields, body);
}

CallRecord answer_of(const std::string &body)
{
    CallRecord record;
    record.method = "POST";
    record.target = "/v1/messages";
    record.status = 200;
    record.response_fields = {{"content-type", "text/event-stream"}};
    record.response_body = body;
    return record;
}

void a_key_is_of_all_that_an_answer_depends_on()
{
    const Fields fields = {{"anthropic-version", "2023-06-01"}, {"accept", "*/*"}};
    const std::string same = key("r", fields);
    CHECK_EQUAL(same.size(), 64u);
    CHECK_EQUAL(key("r", {{"Anthropic-Version", "2023-06-01"}, {"ACCEPT", "*/*"}}), same);
    CHECK_EQUAL(key("r", {{"x-api-key", "one"},
                          {"anthropic-version", "2023-06-01"},
                          {"user-agent", "x/2"},
                          {"accept", "*/*"}}),
                same);
    CHECK_EQUAL(key("r", fields, "{}", "/v1/messages?key=secret"), same);
    for (const std::string &other :
         {key("s", fields), key("r", fields, "{} "),
          key("r", fields, "{}", "/v1/messages?beta=true"),
          key("r", {{"anthropic-version", "2023-06-02"}, {"accept", "*/*"}}),
          key("r", {{"anthropic-version", "2023-06-01"}}),
          answer_key("r", "GET", "/v1/messages", fields, "{}")}) {
        CHECK(other != same);
    }
}

void what_was_kept_is_found_again_by_the_next_process_too()
{
    const check::TemporaryDirectory directory;
    const std::string body("event: x\r\n\r\n\0\xff", 14);
    {
        AnswerCache cache(directory.file("cache"));
        CHECK(!cache.find(key("r", {})));
        cache.keep(key("r", {}), answer_of(body), 100'000);
    }
    AnswerCache cache(directory.file("cache"));
    const auto found = cache.find(key("r", {}));
    CHECK(found && found->response_body == body && found->status == 200);
    CHECK_EQUAL(found->response_fields.at(0).second, "text/event-stream");
    CHECK(!cache.find(key("s", {})));
}

void the_oldest_make_room()
{
    const check::TemporaryDirectory directory;
    AnswerCache cache(directory.file("cache"));
    const std::string body(400, 'x');
    const auto name = [](int i) { return key("r", {}, std::to_string(i)); };
    for (int i = 0; i < 20; i++) {
        cache.keep(name(i), answer_of(body), 6000);
        CHECK(cache.size() <= 6000);
    }
    CHECK(!cache.find(name(0)));
    CHECK(cache.find(name(19)) && cache.find(name(18)));
    const size_t files = names_in(directory.file("cache")).size();
    CHECK(files > 5 && files < 15);
    AnswerCache next(directory.file("cache"));
    CHECK_EQUAL(next.size(), cache.size());
}

void an_answer_that_is_too_large_is_not_kept()
{
    const check::TemporaryDirectory directory;
    AnswerCache cache(directory.file("cache"));
    cache.keep(key("r", {}), answer_of(std::string(1000, 'x')), 8000);
    CHECK(!cache.find(key("r", {})));
    CHECK_EQUAL(cache.size(), 0);
}

void a_file_that_is_no_answer_any_more_is_none()
{
    const check::TemporaryDirectory directory;
    const std::string name = key("r", {});
    AnswerCache cache(directory.path());
    cache.keep(name, answer_of("one"), 100'000);
    replace_file(directory.file(name), "{\"v\": 1");
    CHECK(!cache.find(name));
    CHECK_EQUAL(cache.size(), 0);
    cache.keep(name, answer_of("two"), 100'000);
    const auto found = cache.find(name);
    CHECK(found && found->response_body == "two");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_key_is_of_all_that_an_answer_depends_on),
        TEST(what_was_kept_is_found_again_by_the_next_process_too),
        TEST(the_oldest_make_room),
        TEST(an_answer_that_is_too_large_is_not_kept),
        TEST(a_file_that_is_no_answer_any_more_is_none),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
