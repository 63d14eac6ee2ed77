#include "check.hh"

#include "base/error.hh"
#include "wrap/json_reader.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

JsonReader reader_of(const char *text)
{
    return {Json::parse(text, "test"), "file", "/at"};
}

template <typename Work>
std::string fault_of(const char *text, const Work &work)
{
    try {
        JsonReader reader = reader_of(text);
        work(reader);
    } catch (const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        return error.what();
    }
    return "";
}

void members_come_as_what_they_are()
{
    JsonReader reader = reader_of(R"({"text": "t", "number": -3, "flag": false,
        "texts": ["a", "b"], "numbers": [1, 2], "length": "90s", "seconds": 2,
        "object": {"in": 1}, "null": null})");
    CHECK_EQUAL(reader.text("text").value_or(""), "t");
    CHECK_EQUAL(reader.integer("number", -3, 3).value_or(0), -3);
    CHECK(!reader.boolean("flag").value_or(true));
    CHECK(reader.texts("texts") == (std::vector<std::string>{"a", "b"}));
    CHECK(reader.integers("numbers", 1, 2) == (std::vector<int64_t>{1, 2}));
    CHECK(reader.duration("length") == 90s);
    CHECK(reader.duration("seconds") == 2s);
    auto object = reader.object("object");
    CHECK(object && object->integer("in", 0, 9) == 1);
    CHECK(reader.is_null("null"));
    CHECK(!reader.text("missing"));
    reader.done();
}

void what_is_wrong_is_told_by_place_expectation_and_value()
{
    CHECK_EQUAL(fault_of(R"({"a/b": 1})", [](auto &r) { r.text("a/b"); }),
                "file: /at/a~1b: expected a string, got 1");
    CHECK_EQUAL(fault_of(R"({"n": 11})", [](auto &r) { r.integer("n", 0, 10); }),
                "file: /at/n: expected a whole number from 0 to 10, got 11");
    CHECK_EQUAL(fault_of(R"({"n": 1.5})", [](auto &r) { r.integer("n", 0, 10); }),
                "file: /at/n: expected a whole number from 0 to 10, got 1.5");
    CHECK_EQUAL(fault_of("{}", [](auto &r) { r.required_text("name"); }),
                "file: /at/name: expected a string, got nothing");
    CHECK_EQUAL(fault_of(R"({"d": "soon"})", [](auto &r) { r.duration("d"); }),
                "file: /at/d: expected a duration such as \"90s\" or a number of "
                "seconds, got \"soon\"");
    CHECK_EQUAL(fault_of(R"({"l": "a"})", [](auto &r) { r.texts("l"); }),
                "file: /at/l: expected an array of strings, got \"a\"");
    CHECK_EQUAL(fault_of("[]", [](auto &) {}), "file: /at: expected an object, got []");
}

void a_string_may_stand_for_an_object_with_one_member()
{
    const char *text = R"({"list": ["a", {"name": "b", "more": 1}]})";
    JsonReader reader = reader_of(text);
    auto readers = reader.objects("list", "name");
    CHECK_EQUAL(readers.size(), 2u);
    CHECK_EQUAL(readers[0].text("name").value_or(""), "a");
    readers[0].done();
    CHECK_EQUAL(readers[1].text("name").value_or(""), "b");
    CHECK_EQUAL(fault_of(text, [](auto &r) { r.objects("list"); }),
                "file: /at/list/0: expected an object, got \"a\"");
    CHECK_EQUAL(fault_of(R"({"list": [1]})", [](auto &r) { r.objects("list", "name"); }),
                "file: /at/list/0: expected an object, got 1");
}

void members_that_nobody_asked_for_are_refused()
{
    const auto ask = [](auto &reader) {
        reader.text("name");
        reader.done();
    };
    CHECK_EQUAL(fault_of(R"({"name": "a"})", ask), "");
    CHECK_EQUAL(fault_of(R"({"nmae": "a"})", ask),
                "file: /at/nmae: unknown member; did you mean 'name'?");
    CHECK_EQUAL(fault_of(R"({"else": "a"})", ask), "file: /at/else: unknown member");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(members_come_as_what_they_are),
        TEST(what_is_wrong_is_told_by_place_expectation_and_value),
        TEST(a_string_may_stand_for_an_object_with_one_member),
        TEST(members_that_nobody_asked_for_are_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
