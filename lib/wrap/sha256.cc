#include "wrap/sha256.hh"

#include "base/error.hh"

#include <openssl/evp.h>
#include <span>

namespace ap {

namespace {

void require(bool worked)
{
    if (!worked) {
        throw Error(ExitStatus::Bug, "libcrypto cannot compute a hash");
    }
}

int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

std::string hex_of(std::span<const uint8_t> bytes)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const uint8_t byte : bytes) {
        text.append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    return text;
}

} // namespace

void Sha256Stream::Free::operator()(evp_md_ctx_st *context) const noexcept
{
    EVP_MD_CTX_free(context);
}

Sha256Stream::Sha256Stream()
    : context_(EVP_MD_CTX_new())
{
    require(context_ != nullptr);
    start();
}

void Sha256Stream::start()
{
    require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256Stream::add(std::string_view data)
{
    require(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1);
}

Sha256 Sha256Stream::finish()
{
    Sha256 hash{};
    require(EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr) == 1);
    start();
    return hash;
}

Sha256 sha256(std::string_view data)
{
    Sha256Stream stream;
    stream.add(data);
    return stream.finish();
}

std::string sha1_hex(std::string_view data)
{
    std::array<uint8_t, 20> hash{};
    unsigned size = 0;
    require(EVP_Digest(data.data(), data.size(), hash.data(), &size, EVP_sha1(),
                       nullptr) == 1 &&
            size == hash.size());
    return hex_of(hash);
}

std::string to_hex(const Sha256 &hash)
{
    return hex_of(hash);
}

std::optional<Sha256> sha256_from_hex(std::string_view text)
{
    Sha256 hash{};
    if (text.size() != 2 * hash.size()) {
        return std::nullopt;
    }
    for (size_t i = 0; i < hash.size(); i++) {
        const int high = digit_value(text[2 * i]);
        const int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        hash[i] = static_cast<uint8_t>(16 * high + low);
    }
    return hash;
}

} // namespace ap
