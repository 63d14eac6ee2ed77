#include "wrap/sodium.hh"

#include "base/error.hh"

#include <array>
#include <sodium.h>

namespace ap {

namespace {

const unsigned char *bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char *>(text.data());
}

// Cheap after the first call, and safe in any thread.
void start_library()
{
    if (sodium_init() < 0) {
        throw Error(ExitStatus::Bug, "libsodium cannot be started");
    }
}

std::string encoded(std::string_view data, int variant)
{
    std::string text(sodium_base64_encoded_len(data.size(), variant), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes_of(data), data.size(), variant);
    text.pop_back(); // the terminating NUL
    return text;
}

} // namespace

std::string random_bytes(size_t count)
{
    start_library();
    std::string bytes(count, '\0');
    randombytes_buf(bytes.data(), bytes.size());
    return bytes;
}

std::string blake2b_hex(std::string_view data)
{
    start_library();
    std::array<unsigned char, crypto_generichash_BYTES> hash{};
    crypto_generichash(hash.data(), hash.size(), bytes_of(data), data.size(), nullptr, 0);
    std::array<char, 2 * crypto_generichash_BYTES + 1> text{};
    sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
    return text.data();
}

std::string base64url(std::string_view data)
{
    return encoded(data, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string base64(std::string_view data)
{
    return encoded(data, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> from_base64(std::string_view text)
{
    std::string data(text.size() / 4 * 3 + 3, '\0');
    size_t length = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char *>(data.data()), data.size(),
                          text.data(), text.size(), nullptr, &length, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return std::nullopt;
    }
    data.resize(length);
    return data;
}

bool equal_secrets(std::string_view one, std::string_view other)
{
    return one.size() == other.size() &&
           sodium_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string hash_password(std::string_view password)
{
    start_library();
    std::array<char, crypto_pwhash_STRBYTES> text{};
    if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(),
                              crypto_pwhash_OPSLIMIT_INTERACTIVE,
                              crypto_pwhash_MEMLIMIT_INTERACTIVE,
                              crypto_pwhash_ALG_ARGON2ID13) != 0) {
        throw Error(ExitStatus::TryAgain, "no memory to hash a password");
    }
    return text.data();
}

bool is_password_of(const std::string &hash, std::string_view password)
{
    start_library();
    return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

const std::string &unmatchable_password_hash()
{
    static const std::string hash = hash_password(random_bytes(32));
    return hash;
}

} // namespace ap
