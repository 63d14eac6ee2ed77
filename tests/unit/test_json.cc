#include "check.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/json.hh"

#include <limits>

using namespace ap;

namespace {

void values_have_their_types()
{
    const Json json = Json::parse(
        R"({"o": {}, "a": [1], "s": "x", "i": 7, "r": 1.5, "b": true, "n": null})", "t");
    CHECK(json.is_object());
    CHECK(json.get("a").is_array());
    CHECK_EQUAL(json.get("s").as_string(), "x");
    CHECK_EQUAL(json.get("i").as_integer(), 7);
    CHECK_EQUAL(json.get("r").as_number(), 1.5);
    CHECK_EQUAL(json.get("i").as_number(), 7.0);
    CHECK(json.get("b").as_boolean());
    CHECK(json.get("n").is_null());
    constexpr std::pair<std::string_view, std::string_view> types[] = {
        {"o", "object"}, {"a", "array"},   {"s", "string"}, {"i", "integer"},
        {"r", "number"}, {"b", "boolean"}, {"n", "null"},   {"missing", "nothing"}};
    for (const auto &[key, type] : types) {
        CHECK_EQUAL(json.get(key).type_name(), type);
    }
}

void a_missing_member_is_falsy_and_of_no_type()
{
    const Json json = Json::parse("{}", "t").get("x");
    CHECK(!json);
    CHECK(!json.is_object() && !json.is_array() && !json.is_string() &&
          !json.is_integer() && !json.is_number() && !json.is_boolean() &&
          !json.is_null());
    CHECK(!json.get("y"));
    CHECK(!json.at(0));
    CHECK_EQUAL(json.size(), size_t{0});
    CHECK(json.keys().empty());
}

void typed_members_are_nothing_when_of_another_type()
{
    const Json json = Json::parse(R"({"s": "x", "i": 7, "b": false})", "t");
    CHECK_EQUAL(json.get_string("s").value_or(""), "x");
    CHECK_EQUAL(json.get_integer("i").value_or(0), 7);
    CHECK(json.get_boolean("b").has_value());
    CHECK(!json.get_string("i"));
    CHECK(!json.get_integer("s"));
    CHECK(!json.get_integer("none"));
    CHECK(!json.get_boolean("i"));
}

void a_fault_names_source_line_and_column()
{
    CHECK_THROWS(
        Json::parse("{\n  \"a\": }", "plan.json"), Error, [](const Error &error) {
            CHECK(
                std::string_view(error.what()).starts_with("plan.json: line 2, column "));
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
        });
}

void duplicate_keys_and_trailing_text_are_refused()
{
    for (const std::string_view text :
         {R"({"a": 1, "a": 2})", "{} {}", "[1],", "", " ", "nul", "{'a': 1}", "\xff"}) {
        CHECK(!Json::try_parse(text));
        CHECK_THROWS(Json::parse(text, "t"), Error, [](const Error &) {});
    }
}

void any_type_may_stand_alone()
{
    CHECK_EQUAL(Json::parse("5", "t").as_integer(), 5);
    CHECK(Json::parse("null", "t").is_null());
    CHECK_EQUAL(Json::parse("\"x\"", "t").as_string(), "x");
}

void strings_keep_controls_and_unicode()
{
    const std::string text = "a\n\t\"\\\x01\xc3\xa4\xf0\x9f\x98\x80";
    CHECK_EQUAL(Json::parse(Json::string(text).dump(), "t").as_string(), text);
    CHECK_EQUAL(Json::string({}).dump(), "\"\"");
}

// A name or path with one would be cut off by every system call.
void a_nul_byte_is_refused()
{
    CHECK(!Json::try_parse("\"a\\u0000b\""));
}

void invalid_utf8_becomes_the_replacement_character()
{
    CHECK_EQUAL(Json::string("a\xff"
                             "b")
                    .as_string(),
                "a\xef\xbf\xbd"
                "b");
    CHECK_EQUAL(Json::string("a\n\"\xff").as_string(), "a\n\"\xef\xbf\xbd");
    // Overlong and cut-off sequences are invalid too.
    CHECK(Json::try_parse(Json::string("\xc0\x80").dump()).has_value());
    CHECK(Json::try_parse(Json::string("x\xe2\x82").dump()).has_value());
}

void integers_keep_all_their_digits()
{
    constexpr int64_t highest = std::numeric_limits<int64_t>::max();
    CHECK_EQUAL(Json::integer(highest).dump(), "9223372036854775807");
    CHECK_EQUAL(Json::parse("-9223372036854775808", "t").as_integer(),
                std::numeric_limits<int64_t>::min());
    CHECK(!Json::try_parse("9223372036854775808"));
}

void members_are_dumped_in_the_order_they_were_set()
{
    Json json = Json::object();
    json.set("z", 1).set("a", "x").set("m", true).set("n", std::optional<int64_t>());
    json.set("list", Json::array().append(Json::integer(1)).append(Json::null()));
    CHECK_EQUAL(json.dump(), R"({"z":1,"a":"x","m":true,"n":null,"list":[1,null]})");
    CHECK_EQUAL(join(json.keys(), ","), "z,a,m,n,list");
    CHECK_EQUAL(json.size(), size_t{5});
    CHECK_EQUAL(Json::parse(json.dump_pretty(), "t").dump(), json.dump());
    CHECK(json.dump_pretty().ends_with("}\n"));
}

void elements_past_the_end_are_empty()
{
    const Json json = Json::parse("[1, 2]", "t");
    CHECK_EQUAL(json.size(), size_t{2});
    CHECK_EQUAL(json.at(1).as_integer(), 2);
    CHECK(!json.at(2));
}

void a_copy_is_the_same_value()
{
    Json json = Json::object();
    Json copy = json;
    copy.set("a", 1);
    CHECK_EQUAL(json.dump(), "{\"a\":1}");
    copy = Json::array();
    CHECK(json.is_object());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(values_have_their_types),
        TEST(a_missing_member_is_falsy_and_of_no_type),
        TEST(typed_members_are_nothing_when_of_another_type),
        TEST(a_fault_names_source_line_and_column),
        TEST(duplicate_keys_and_trailing_text_are_refused),
        TEST(any_type_may_stand_alone),
        TEST(strings_keep_controls_and_unicode),
        TEST(a_nul_byte_is_refused),
        TEST(invalid_utf8_becomes_the_replacement_character),
        TEST(integers_keep_all_their_digits),
        TEST(members_are_dumped_in_the_order_they_were_set),
        TEST(elements_past_the_end_are_empty),
        TEST(a_copy_is_the_same_value),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
