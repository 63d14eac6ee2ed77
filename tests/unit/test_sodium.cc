#include "check.hh"

#include "base/error.hh"

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

// As weak as the library allows: strength is not what is tested.
KeyDerivation quick_derivation()
{
    KeyDerivation derivation = KeyDerivation::make();
    derivation.operations = 1;
    derivation.memory = 8192;
    return derivation;
}

const KeyDerivation &derivation()
{
    static const KeyDerivation made = quick_derivation();
    return made;
}

SealKey key(std::string_view passphrase = "correct horse")
{
    return {passphrase, derivation()};
}

std::string seal(std::string_view text, std::string_view context = "c")
{
    std::string sealed;
    SealWriter writer([&](std::string_view data) { sealed.append(data); }, key(),
                      context);
    writer.write(text);
    writer.finish();
    return sealed;
}

std::string unseal(const std::string &sealed, const SealKey &with,
                   std::string_view context = "c")
{
    size_t at = 0;
    SealReader reader(
        [&] {
            const std::string_view data = std::string_view(sealed).substr(at, 1000);
            at += data.size();
            return data;
        },
        with, context, "x");
    std::string text;
    for (std::string_view data = reader.read(); !data.empty(); data = reader.read()) {
        text.append(data);
    }
    return text;
}

void expect_refused(const std::string &sealed, const SealKey &with,
                    std::string_view context = "c")
{
    CHECK_THROWS(unseal(sealed, with, context), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void gives_back_texts_of_every_size()
{
    for (const size_t size : {0U, 1U, 65535U, 65536U, 65537U, 131072U, 200000U}) {
        const std::string text(size, 'a');
        const std::string sealed = seal(text);
        CHECK_EQUAL(sealed.size(), sealed_size(size));
        CHECK(unseal(sealed, key()) == text);
    }
}

void needs_the_passphrase()
{
    expect_refused(seal("secret"), key("incorrect horse"));
}

void needs_the_context()
{
    expect_refused(seal("secret", "one"), key(), "other");
}

void notices_every_changed_byte()
{
    const std::string sealed = seal("a short text");
    for (size_t i = 0; i < sealed.size(); i++) {
        std::string changed = sealed;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        expect_refused(changed, key());
    }
}

void notices_every_cut()
{
    const std::string sealed = seal(std::string(70000, 'a'));
    for (const size_t size : {0U, 23U, 24U, 30U, 65576U, 65577U, 65578U, 70057U}) {
        expect_refused(sealed.substr(0, size), key());
    }
}

void notices_what_follows()
{
    expect_refused(seal("text") + "x", key());
}

void refuses_parameters_out_of_proportion()
{
    KeyDerivation greedy = derivation();
    greedy.memory = uint64_t{1} << 40;
    CHECK_THROWS(SealKey("x", greedy), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void signs_and_verifies()
{
    const SigningKeys keys = SigningKeys::make();
    const std::string signature = sign("text", keys.secret + "\n");
    CHECK(is_signed("text", signature, keys.open));
    CHECK(!is_signed("texT", signature, keys.open));
    CHECK(!is_signed("text", signature, SigningKeys::make().open));
    CHECK(!is_signed("text", "00", keys.open));
}

void says_what_is_no_key()
{
    CHECK_THROWS(sign("text", "abc"), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("secret signing key") !=
              std::string_view::npos);
    });
    CHECK_THROWS(is_signed("text", "", "abc"), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("public signing key") !=
              std::string_view::npos);
    });
}

void tags_as_poly1305_does()
{
    // The example of RFC 8439, section 2.5.2.
    const std::string key(
        "\x85\xd6\xbe\x78\x57\x55\x6d\x33\x7f\x44\x52\xfe\x42\xd5\x06\xa8"
        "\x01\x03\x80\x8a\xfb\x0d\xb2\xfd\x4a\xbf\xf6\xaf\x41\x49\xf5\x1b",
        32);
    const std::string tag(
        "\xa8\x06\x1d\xc1\x30\x51\x36\xc6\xc2\x2b\x8b\xaf\x0c\x01\x27\xa9", 16);
    CHECK(tag_of("Cryptographic Forum Research Group", key) == tag);
    CHECK(tag_of("Cryptographic forum Research Group", key) != tag);
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
        TEST(gives_back_texts_of_every_size),
        TEST(needs_the_passphrase),
        TEST(needs_the_context),
        TEST(notices_every_changed_byte),
        TEST(notices_every_cut),
        TEST(notices_what_follows),
        TEST(refuses_parameters_out_of_proportion),
        TEST(signs_and_verifies),
        TEST(says_what_is_no_key),
        TEST(tags_as_poly1305_does),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
