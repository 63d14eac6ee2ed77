#include "check.hh"
#include "net/request_target.hh"

#include <random>
#include <vector>

using namespace ap;

namespace {

using Kind = RangeRequest::Kind;

void decodes_percent_escapes_and_blanks()
{
    CHECK(*decode_percent("a%20b%C3%A9+c", false) == "a b\xC3\xA9+c");
    CHECK(*decode_percent("a+b", true) == "a b");
    for (const char *malformed : {"%", "%4", "%zz", "a%0", "%00", "%7f", "\x01"}) {
        CHECK(!decode_percent(malformed, false));
    }
}

void what_is_encoded_is_decoded_again()
{
    const std::string text = "run-1 /?&=%+\xC3\xA9~";
    CHECK(*decode_percent(encode_percent(text), true) == text);
}

void splits_a_path_and_refuses_what_leads_out_of_it()
{
    CHECK((*split_path("/api/runs/a%2Eb") ==
           std::vector<std::string>{"api", "runs", "a.b"}));
    CHECK(split_path("/")->empty());
    for (const char *bad : {"", "api", "//", "/api/", "/a//b", "/../x", "/%2e%2e/x",
                            "/a%2fb", "/.", "*", "http://host/"}) {
        CHECK(!split_path(bad));
    }
}

void reads_a_form_and_refuses_a_name_that_comes_twice()
{
    const auto form = *parse_form("a=1&b=x%26y&c&=d");
    CHECK_EQUAL(form.at("b"), "x&y");
    CHECK_EQUAL(form.at("c"), "");
    CHECK_EQUAL(form.at(""), "d");
    CHECK(!parse_form("a=1&a=2"));
    CHECK(!parse_form("a=%"));
    std::string many;
    for (int i = 0; i < 65; i++) {
        many += "&f" + std::to_string(i) + "=";
    }
    CHECK(!parse_form(many));
}

void finds_a_cookie_by_its_whole_name()
{
    CHECK(*find_cookie("xap=1; ap=2;ap3=4", "ap") == "2");
    CHECK(!find_cookie("xap=1", "ap"));
    CHECK(*find_cookie("ap=a=b", "ap") == "a=b");
}

void reads_a_range_of_bytes()
{
    const auto part = [](const char *field, uint64_t size) {
        const RangeRequest request = read_range(field, size);
        CHECK_EQUAL(request.kind, Kind::Part);
        return std::to_string(request.range.first) + "-" +
               std::to_string(request.range.last);
    };
    CHECK_EQUAL(part("bytes=0-4", 10), "0-4");
    CHECK_EQUAL(part("bytes=4-", 10), "4-9");
    CHECK_EQUAL(part("bytes=4-99", 10), "4-9");
    CHECK_EQUAL(part("bytes=-3", 10), "7-9");
    CHECK_EQUAL(part("bytes=-99", 10), "0-9");
}

void ignores_or_refuses_other_ranges()
{
    for (const char *field : {"bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "lines=1-2",
                              "bytes=0-1,3-4", "bytes=1", "bytes=-1-2"}) {
        CHECK_EQUAL(read_range(field, 10).kind, Kind::Whole);
    }
    CHECK_EQUAL(read_range(std::nullopt, 10).kind, Kind::Whole);
    CHECK_EQUAL(read_range("bytes=10-", 10).kind, Kind::Unsatisfiable);
    CHECK_EQUAL(read_range("bytes=-0", 10).kind, Kind::Unsatisfiable);
    CHECK_EQUAL(read_range("bytes=0-", 0).kind, Kind::Unsatisfiable);
}

// Mutations of what is well-formed, the same in every run: nothing crashes, and what
// comes through is safe to use.
void survives_a_hundred_thousand_mutations()
{
    const std::vector<std::string> seeds = {
        "/api/runs/night/phases/p%20q/attempts/1/logs/stdout",
        "name=ada&password=%C3%A9+x&csrf=0123&next=/dashboard%3Fa",
        "ap_session=abc; other=def",
        "bytes=0-99",
        "bytes=-5",
        "%%%25%2e%2E//..%00"};
    std::minstd_rand random(7);
    for (int i = 0; i < 100'000; i++) {
        std::string text = seeds[random() % seeds.size()];
        for (unsigned changes = random() % 5; changes-- > 0 && !text.empty();) {
            const size_t at = random() % text.size();
            switch (random() % 3) {
            case 0:
                text[at] = static_cast<char>(random() % 256);
                break;
            case 1:
                text.erase(at, random() % 4 + 1);
                break;
            default:
                text.insert(at, text.substr(0, random() % 8));
            }
        }
        if (const auto pieces = split_path(text)) {
            for (const std::string &piece : *pieces) {
                CHECK(!piece.empty() && piece != ".." && piece.find('/') == piece.npos &&
                      piece.find('\0') == piece.npos);
            }
        }
        static_cast<void>(parse_form(text));
        static_cast<void>(find_cookie(text, "ap_session"));
        const RangeRequest range = read_range(text, 100);
        CHECK(range.kind != Kind::Part ||
              (range.range.first <= range.range.last && range.range.last < 100));
    }
}

void gzip_is_accepted_where_it_has_a_weight()
{
    for (const char *field : {"gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.001",
                              "x-gzip", "deflate , gzip ; q=1", "*", "br, *;q=0.5"}) {
        CHECK(accepts_gzip(field));
    }
    for (const char *field : {"", "identity", "br", "gzip;q=0", "gzip; q=0.000, *",
                              "*;q=0", "gzipped", "gzip;q=x", "deflate, br;q=1"}) {
        CHECK(!accepts_gzip(field));
    }
    CHECK(!accepts_gzip(std::nullopt));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(decodes_percent_escapes_and_blanks),
        TEST(what_is_encoded_is_decoded_again),
        TEST(splits_a_path_and_refuses_what_leads_out_of_it),
        TEST(reads_a_form_and_refuses_a_name_that_comes_twice),
        TEST(finds_a_cookie_by_its_whole_name),
        TEST(reads_a_range_of_bytes),
        TEST(ignores_or_refuses_other_ranges),
        TEST(survives_a_hundred_thousand_mutations),
        TEST(gzip_is_accepted_where_it_has_a_weight),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
