#include "check.hh"

#include "base/json_scanner.hh"
#include "wrap/json.hh"

using namespace ap;

namespace {

// Everything that is told, a line each.
class Listing final : public JsonScanner::Handler
{
public:
    std::string text;

    void on_scalar(std::string_view path, const JsonScanner::Scalar &scalar) override
    {
        constexpr std::string_view kinds = "sntf0";
        text += std::string(path) + '=' + kinds[static_cast<size_t>(scalar.kind)] +
                std::string(scalar.text) + '/' + std::to_string(scalar.length) + '@' +
                std::to_string(scalar.begin) + '-' + std::to_string(scalar.end) + '\n';
    }
    void on_open(std::string_view path, char kind, uint64_t offset) override
    {
        text += std::string(path) + kind + std::to_string(offset) + '\n';
    }
    void on_close(std::string_view path, char kind, uint64_t offset) override
    {
        text += std::string(path) + kind + std::to_string(offset) + '\n';
    }
};

std::string listing(std::string_view json, size_t piece = std::string_view::npos)
{
    JsonScanner scanner;
    Listing handler;
    for (size_t at = 0; at < json.size(); at += std::min(piece, json.size())) {
        scanner.feed(json.substr(at, piece), handler);
    }
    return scanner.finish(handler) ? handler.text : "no JSON";
}

void every_value_is_told_with_its_path_and_place()
{
    CHECK_EQUAL(listing(R"({"a": [1, {"b": "x"}], "c": null, "d": -1.5e3})"),
                "{0\na[6\na/*=n1/1@7-8\na/*{10\na/*/b=sx/1@16-19\na/*}19\na]20\n"
                "c=0/4@28-32\nd=n-1.5e3/6@39-45\n}45\n");
    CHECK_EQUAL(listing("[[], {}, true, false]"),
                "[0\n*[1\n*]2\n*{5\n*}6\n*=t/4@9-13\n*=f/5@15-20\n]20\n");
    CHECK_EQUAL(listing(" 7 "), "=n7/1@1-2\n");
    CHECK_EQUAL(listing("7"), "=n7/1@0-1\n");
}

void cutting_it_anywhere_changes_nothing()
{
    const std::string json =
        R"({"ab\u0041\n":[-0.5e-2,"\ud83d\ude00 \\",true,null],"x":{"y":{}} } )";
    const std::string whole = listing(json);
    CHECK(whole != "no JSON");
    for (size_t piece = 1; piece < json.size(); ++piece) {
        CHECK_EQUAL(listing(json, piece), whole);
    }
}

void keys_are_compared_as_what_they_mean()
{
    CHECK_EQUAL(listing(R"({"m\u0061x": 1})"), "{0\nmax=n1/1@13-14\n}14\n");
}

void no_key_can_pass_for_a_path()
{
    CHECK_EQUAL(listing(R"({"a/b": 1})"), "{0\na?b=n1/1@8-9\n}9\n");
    CHECK_EQUAL(listing(R"({"*": 1})"), "{0\n?=n1/1@6-7\n}7\n");
    CHECK_EQUAL(listing(R"({"": 1})"), "{0\n?=n1/1@5-6\n}6\n");
    const std::string key(100, 'k');
    CHECK_EQUAL(listing("{\"" + key + "\": 1}"),
                "{0\n" + key.substr(0, 64) + "?=n1/1@105-106\n}106\n");
}

void long_strings_are_counted_but_not_kept()
{
    const std::string text(100'000, 'x');
    CHECK_EQUAL(listing('"' + text + '"'),
                "=s" + text.substr(0, JsonScanner::kept_bytes) + "/100000@0-100002\n");
}

void what_is_no_json_is_refused()
{
    for (const std::string_view text :
         {"",    "{",     "[1,]",   "{\"a\":1,}", "{,}",         "[1 2]",    "{\"a\" 1}",
          "01",  "-",     "1.",     ".5",         "1e",          "+1",       "tru",
          "nul", "truex", "\"\n\"", "\"\\x\"",    "\"\\u12g4\"", "\"",       "]",
          "{]",  "[}",    "{}{}",   "1 1",        "{a:1}",       "{\"a\":}", "[,1]",
          "'a'", "[1}"}) {
        CHECK_EQUAL(listing(text), "no JSON");
    }
    CHECK_EQUAL(listing(std::string(300, '[') + std::string(300, ']')), "no JSON");
    CHECK_EQUAL(listing(std::string(1000, '1')), "no JSON");
}

// The scanner and jansson, who share no code, must agree on what is JSON, whatever is
// done to a text. Duplicate keys and depth are rules of the caller; jansson checks UTF-8.
void it_agrees_with_jansson_about_mutated_texts()
{
    const std::string seed =
        R"({"a":[1,-2.5e+3,{"b":"c\"\\\u00e9"}],"d":{"e":null,"f":true,"g":[]},"h":0})";
    const std::string_view alphabet = "{}[]\",:\\u0019eE.+-tfn axy";
    uint32_t random = 12345;
    const auto next = [&random](size_t below) {
        random = random * 1664525 + 1013904223;
        return (random >> 8) % below;
    };
    int accepted = 0;
    for (int i = 0; i < 40'000; ++i) {
        std::string text = seed;
        for (size_t changes = 1 + next(3); changes > 0; --changes) {
            const size_t at = next(text.size());
            switch (next(3)) {
            case 0:
                text[at] = alphabet[next(alphabet.size())];
                break;
            case 1:
                text.erase(at, 1 + next(3));
                break;
            default:
                text.insert(at, 1, alphabet[next(alphabet.size())]);
            }
        }
        const bool ours = listing(text) != "no JSON";
        const bool theirs = Json::try_parse(text).has_value();
        accepted += ours;
        if (ours != theirs) {
            // jansson alone refuses duplicate keys, \u0000, lone halves of pairs and
            // numbers beyond a double.
            CHECK(ours);
            CHECK(text.find("\\u") != std::string::npos || text.find('e') ||
                  text.find('E') != std::string::npos);
        }
    }
    CHECK(accepted > 1000);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(every_value_is_told_with_its_path_and_place),
        TEST(cutting_it_anywhere_changes_nothing),
        TEST(keys_are_compared_as_what_they_mean),
        TEST(no_key_can_pass_for_a_path),
        TEST(long_strings_are_counted_but_not_kept),
        TEST(what_is_no_json_is_refused),
        TEST(it_agrees_with_jansson_about_mutated_texts),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
