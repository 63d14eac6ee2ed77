#include "wrap/sha256.hh"

#include "check.hh"

using namespace ap;

namespace {

void hashes_as_the_standard_says()
{
    CHECK_EQUAL(to_hex(sha256("abc")),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_EQUAL(to_hex(sha256("")),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

void hashes_a_stream_and_starts_anew()
{
    Sha256Stream stream;
    stream.add("a");
    stream.add("bc");
    CHECK(stream.finish() == sha256("abc"));
    stream.add("x");
    CHECK(stream.finish() == sha256("x"));
}

void reads_its_own_digits_only()
{
    const Sha256 hash = sha256("abc");
    CHECK(sha256_from_hex(to_hex(hash)) == hash);
    CHECK(!sha256_from_hex(""));
    CHECK(!sha256_from_hex(std::string(63, 'a')));
    CHECK(!sha256_from_hex(std::string(64, 'g')));
    CHECK(!sha256_from_hex(std::string(64, 'A')));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(hashes_as_the_standard_says),
        TEST(hashes_a_stream_and_starts_anew),
        TEST(reads_its_own_digits_only),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
