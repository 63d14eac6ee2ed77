#include "check.hh"

#include "wrap/sodium.hh"

#include <set>

using namespace ap;

namespace {

void makes_random_bytes_that_differ()
{
    std::set<std::string> seen;
    for (int i = 0; i < 100; i++) {
        const std::string bytes = random_bytes(32);
        CHECK_EQUAL(bytes.size(), size_t{32});
        seen.insert(bytes);
    }
    CHECK_EQUAL(seen.size(), size_t{100});
}

void hashes_as_blake2b_does()
{
    // From an independent implementation: Python's hashlib.blake2b(digest_size=32).
    CHECK_EQUAL(blake2b_hex(""),
                "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    CHECK_EQUAL(blake2b_hex("abc"),
                "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

void writes_base64_that_is_safe_in_urls_and_headers()
{
    CHECK_EQUAL(base64url(""), "");
    CHECK_EQUAL(base64url("f"), "Zg");
    CHECK_EQUAL(base64url("fo"), "Zm8");
    CHECK_EQUAL(base64url("foo"), "Zm9v");
    CHECK_EQUAL(base64url("\xfb\xff\xfe"), "-__-");
    CHECK_EQUAL(base64url(std::string(32, '\0')).size(), size_t{43});
}

void reads_back_the_base64_it_writes()
{
    for (size_t size = 0; size < 100; size++) {
        const std::string data = random_bytes(size);
        CHECK_EQUAL(from_base64(base64(data)).value_or("none"), data);
    }
    CHECK_EQUAL(base64("fo"), "Zm8=");
    CHECK(!from_base64("Zm8").has_value());
    CHECK(!from_base64("Z m8=").has_value());
    CHECK(!from_base64("Zm-_").has_value());
}

void compares_secrets_by_all_their_bytes()
{
    CHECK(equal_secrets("", ""));
    CHECK(equal_secrets("secret", "secret"));
    CHECK(!equal_secrets("secret", "secreT"));
    CHECK(!equal_secrets("secret", "secre"));
    CHECK(!equal_secrets("a", ""));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(makes_random_bytes_that_differ),
        TEST(hashes_as_blake2b_does),
        TEST(writes_base64_that_is_safe_in_urls_and_headers),
        TEST(reads_back_the_base64_it_writes),
        TEST(compares_secrets_by_all_their_bytes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
