#include "check.hh"
#include "support.hh"

#include "domain/call_archive.hh"

using namespace ap;

namespace {

std::string line(const std::string &request, const std::string &response,
                 const std::string &target = "/v1/messages")
{
    CallRecord record;
    record.method = "POST";
    record.target = target;
    record.request_body = request;
    record.status = 200;
    record.response_body = response;
    return call_record_line(record);
}

// An archive of the given lines.
class Fixture
{
public:
    explicit Fixture(const std::string &lines, std::vector<std::string> ignored = {})
        : archive(std::move(ignored))
    {
        replace_file(directory_.file("archive.jsonl"), lines);
        archive.add(directory_.file("archive.jsonl"));
    }

    std::string ask(const std::string &body, const std::string &target = "/v1/messages")
    {
        const auto record = archive.next("POST", target, body);
        return record ? record->response_body : "(none)";
    }

    CallArchive archive;

private:
    check::TemporaryDirectory directory_;
};

void finds_a_call_by_all_its_bytes()
{
    Fixture fixture(line("a", "to a") + line("b", "to b"));
    CHECK_EQUAL(fixture.archive.size(), size_t{2});
    CHECK_EQUAL(fixture.ask("c"), "(none)");
    CHECK_EQUAL(fixture.ask("b "), "(none)");
    CHECK_EQUAL(fixture.ask("b", "/v1/responses"), "(none)");
    CHECK(!fixture.archive.next("PUT", "/v1/messages", "b").has_value());
    CHECK_EQUAL(fixture.ask("b"), "to b");
    CHECK_EQUAL(fixture.ask("a"), "to a");
    CHECK_EQUAL(fixture.archive.served(), size_t{2});
}

void answers_repeats_in_the_order_they_were_recorded()
{
    Fixture fixture(line("a", "1") + line("b", "x") + line("a", "2") + line("a", "3"));
    CHECK_EQUAL(fixture.ask("a"), "1");
    CHECK_EQUAL(fixture.ask("a"), "2");
    CHECK_EQUAL(fixture.ask("a"), "3");
    CHECK_EQUAL(fixture.ask("a"), "(none)");
    CHECK_EQUAL(fixture.archive.count("POST", "/v1/messages", "a"), size_t{3});
}

void a_key_in_the_target_makes_no_difference()
{
    Fixture fixture(line("a", "1", "/v1beta/models/m:generateContent?key=x&alt=sse"));
    CHECK_EQUAL(fixture.ask("a", "/v1beta/models/m:generateContent?alt=sse&key=other"),
                "1");
}

void members_can_be_ignored()
{
    Fixture fixture(
        line(R"({"m": "x", "metadata": {"user": 1}, "l": [{"id": 1, "t": 2}]})", "1"),
        {"/metadata", "/l/0/id"});
    CHECK_EQUAL(fixture.ask(R"({"m": "y", "metadata": 1, "l": [{"id": 9, "t": 2}]})"),
                "(none)");
    CHECK_EQUAL(fixture.ask(R"({"m": "x", "l": [{"t": 3}]})"), "(none)");
    CHECK_EQUAL(fixture.ask(R"({"m":"x","metadata":[7],"l":[{"id":9,"t":2}]})"), "1");
}

void a_name_with_a_slash_is_written_as_in_a_json_pointer()
{
    Fixture fixture(line(R"({"a/b~c": 1, "d": 2})", "1"), {"/a~1b~0c"});
    CHECK_EQUAL(fixture.ask(R"({"a/b~c": 5, "d": 2})"), "1");
}

void an_unfinished_last_line_is_passed_over_and_any_other_is_not()
{
    const std::string whole = line("a", "1");
    Fixture fixture(whole + whole.substr(0, whole.size() / 2));
    CHECK_EQUAL(fixture.archive.size(), size_t{1});
    CHECK_THROWS(Fixture(whole + "nonsense\n" + whole), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::BadData);
        CHECK(std::string_view(error.what()).find("archive.jsonl:2: ") !=
              std::string_view::npos);
    });
}

void reads_lines_longer_than_its_buffer()
{
    const std::string body(300'000, 'x');
    Fixture fixture(line("a", body) + line("b", "short") + line(body, "long asked"));
    CHECK_EQUAL(fixture.ask("b"), "short");
    CHECK(fixture.ask("a") == body);
    CHECK_EQUAL(fixture.ask(body), "long asked");
}

void finds_the_archives_of_a_run_in_order()
{
    const check::TemporaryDirectory directory;
    const std::string names[] = {"phases/a/attempt-2/", "phases/a/attempt-10/",
                                 "phases/b[1]/attempt-1/"};
    for (const std::string &name : names) {
        make_directories(directory.file(name));
        replace_file(directory.file(name + "archive.jsonl"), "");
    }
    const auto found = find_archives(directory.path());
    CHECK_EQUAL(found.size(), size_t{3});
    for (size_t i = 0; i < found.size(); i++) {
        CHECK_EQUAL(found[i], directory.file(names[i] + "archive.jsonl"));
    }
    CHECK_EQUAL(find_archives(directory.file("phases/b[1]")).size(), size_t{1});
    CHECK_EQUAL(find_archives(directory.file("phases/a/attempt-2")).size(), size_t{1});
    CHECK(find_archives(found[0]) == std::vector<std::string>{found[0]});
}

void says_where_there_is_no_archive()
{
    const check::TemporaryDirectory directory;
    const auto is_no_input = [](const Error &error) {
        CHECK(error.status() == ExitStatus::NoInput);
    };
    CHECK_THROWS(find_archives(directory.path()), Error, is_no_input);
    CHECK_THROWS(find_archives(directory.file("absent")), Error, is_no_input);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(finds_a_call_by_all_its_bytes),
        TEST(answers_repeats_in_the_order_they_were_recorded),
        TEST(a_key_in_the_target_makes_no_difference),
        TEST(members_can_be_ignored),
        TEST(a_name_with_a_slash_is_written_as_in_a_json_pointer),
        TEST(an_unfinished_last_line_is_passed_over_and_any_other_is_not),
        TEST(reads_lines_longer_than_its_buffer),
        TEST(finds_the_archives_of_a_run_in_order),
        TEST(says_where_there_is_no_archive),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
