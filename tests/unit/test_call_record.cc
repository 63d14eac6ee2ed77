#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "domain/call_record.hh"

#include <sys/stat.h>

using namespace ap;

namespace {

CallRecord record()
{
    CallRecord record;
    record.at = 1'800'000'000'000;
    record.request_id = "req-1";
    record.method = "POST";
    record.target = "/v1/messages?beta=true";
    record.request_fields = {
        {"content-type", "application/json"}, {"x-twice", "1"}, {"x-twice", "2"}};
    record.request_body = "{\"model\": \"m\",\n \"n\": 1}";
    record.status = 200;
    record.response_fields = {{"content-type", "text/event-stream"}};
    record.response_body = "data: \xc3\xa9\n\n";
    return record;
}

void reads_back_what_it_writes()
{
    CallRecord written = record();
    written.usage = Usage();
    written.usage->model = "m";
    written.usage->prompt_tokens = 12;
    written.usage->completion_tokens = 3;
    written.usage->estimated = true;
    const std::string line = call_record_line(written);
    CHECK_EQUAL(line.find('\n'), line.size() - 1);
    const CallRecord read = call_record_from_line(line, "a:1");
    CHECK_EQUAL(read.at, written.at);
    CHECK_EQUAL(read.request_id, "req-1");
    CHECK_EQUAL(read.method, "POST");
    CHECK_EQUAL(read.target, written.target);
    CHECK(read.request_fields == written.request_fields);
    CHECK_EQUAL(read.request_body, written.request_body);
    CHECK_EQUAL(read.status, 200);
    CHECK(read.response_fields == written.response_fields);
    CHECK_EQUAL(read.response_body, written.response_body);
    CHECK(read.complete);
    CHECK_EQUAL(read.usage->prompt_tokens, 12);
    CHECK(read.usage->estimated);
}

void keeps_bodies_of_any_bytes()
{
    CallRecord written = record();
    written.complete = false;
    for (const std::string &body :
         {std::string("\x1f\x8b\x08\xff\xfe\0gzip", 10), std::string("\xed\xa0\x80"),
          std::string("a\0b", 3), std::string()}) {
        written.response_body = body;
        written.request_body = body;
        const CallRecord read = call_record_from_line(call_record_line(written), "a:1");
        CHECK_EQUAL(read.response_body, body);
        CHECK_EQUAL(read.request_body, body);
        CHECK(!read.complete);
    }
}

void never_writes_a_key()
{
    CallRecord written = record();
    written.target = "/v1beta/models/m:generateContent?key=SECRET1&alt=sse";
    written.request_fields = {{"Authorization", "Bearer SECRET2"},
                              {"X-Api-Key", "SECRET3"},
                              {"x-goog-api-key", "SECRET4"},
                              {"Cookie", "SECRET5"},
                              {"accept", "*/*"}};
    written.response_fields = {{"Set-Cookie", "SECRET6"}, {"server", "s"}};
    const std::string line = call_record_line(written);
    CHECK(line.find("SECRET") == std::string::npos);
    const CallRecord read = call_record_from_line(line, "a:1");
    CHECK_EQUAL(read.target, "/v1beta/models/m:generateContent?alt=sse");
    CHECK_EQUAL(read.request_fields.size(), size_t{1});
    CHECK_EQUAL(read.response_fields.size(), size_t{1});
}

void takes_only_the_parameter_key_off_a_target()
{
    CHECK_EQUAL(target_without_key("/a"), "/a");
    CHECK_EQUAL(target_without_key("/a?key=x"), "/a");
    CHECK_EQUAL(target_without_key("/a?b=1&key=x&c=2"), "/a?b=1&c=2");
    CHECK_EQUAL(target_without_key("/a?keyword=x&monkey=y"), "/a?keyword=x&monkey=y");
}

void appends_to_a_file_for_its_owner_only()
{
    const check::TemporaryDirectory directory;
    const std::string attempt = directory.file("phases/a/attempt-1");
    append_call_record(attempt, record());
    append_call_record(attempt, record());
    const std::string path = attempt + "/archive.jsonl";
    CHECK_EQUAL(read_file(path, 100'000),
                call_record_line(record()) + call_record_line(record()));
    struct stat status = {};
    CHECK_EQUAL(stat(path.c_str(), &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600U);
}

void names_a_line_that_is_no_record()
{
    for (const char *line :
         {"", "{", "[]", R"({"v": 2})", R"({"v": 1, "request": {}, "response": {}})"}) {
        CHECK_THROWS(
            call_record_from_line(line, "archive.jsonl:7"), Error,
            [](const Error &error) {
                CHECK(error.status() == ExitStatus::BadData);
                CHECK(std::string_view(error.what()).starts_with("archive.jsonl:7: "));
            });
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_back_what_it_writes),
        TEST(keeps_bodies_of_any_bytes),
        TEST(never_writes_a_key),
        TEST(takes_only_the_parameter_key_off_a_target),
        TEST(appends_to_a_file_for_its_owner_only),
        TEST(names_a_line_that_is_no_record),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
