#include "wrap/sha256.hh"

#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <span>

namespace ap {

namespace {

const uint8_t *bytes_of(std::string_view data)
{
    return reinterpret_cast<const uint8_t *>(data.data());
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

Sha256Stream::Sha256Stream()
    : context_(std::make_unique<sha256_ctx>())
{
    sha256_init(context_.get());
}

Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::add(std::string_view data)
{
    sha256_update(context_.get(), data.size(), bytes_of(data));
}

Sha256 Sha256Stream::finish()
{
    Sha256 hash{};
    sha256_digest(context_.get(), hash.size(), hash.data()); // and starts anew
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
    sha1_ctx context{};
    sha1_init(&context);
    sha1_update(&context, data.size(), bytes_of(data));
    std::array<uint8_t, SHA1_DIGEST_SIZE> hash{};
    sha1_digest(&context, hash.size(), hash.data());
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
