#include "wrap/sodium.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <array>
#include <sodium.h>

namespace ap {

namespace {

constexpr size_t chunk_size = 65536;
constexpr size_t overhead = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr size_t header_size = crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr auto final_tag =
    static_cast<unsigned char>(crypto_secretstream_xchacha20poly1305_TAG_FINAL);

static_assert(crypto_secretstream_xchacha20poly1305_KEYBYTES == 32);

const unsigned char *bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char *>(text.data());
}

unsigned char *bytes_of(std::string &text)
{
    return reinterpret_cast<unsigned char *>(text.data());
}

std::string hex_of(const unsigned char *bytes, size_t size)
{
    std::string text(2 * size + 1, '\0');
    sodium_bin2hex(text.data(), text.size(), bytes, size);
    text.pop_back();
    return text;
}

// The bytes that `text`, without blanks around it, says in hexadecimal digits; empty if
// it is anything else than `size` bytes.
std::string bytes_from_hex(std::string_view text, size_t size)
{
    text = trim(text);
    std::string bytes(size, '\0');
    size_t length = 0;
    const bool good = text.size() == 2 * size &&
                      sodium_hex2bin(bytes_of(bytes), size, text.data(), text.size(),
                                     nullptr, &length, nullptr) == 0 &&
                      length == size;
    return good ? bytes : std::string();
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

KeyDerivation KeyDerivation::make()
{
    start_library();
    KeyDerivation derivation;
    derivation.salt.resize(crypto_pwhash_SALTBYTES);
    randombytes_buf(derivation.salt.data(), derivation.salt.size());
    return derivation;
}

SealKey::SealKey(std::string_view passphrase, const KeyDerivation &derivation)
{
    start_library();
    constexpr uint64_t most_operations = 16;
    constexpr uint64_t most_memory = 1U << 30;
    if (derivation.salt.size() != crypto_pwhash_SALTBYTES ||
        derivation.operations < crypto_pwhash_argon2id_OPSLIMIT_MIN ||
        derivation.operations > most_operations ||
        derivation.memory < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
        derivation.memory > most_memory) {
        throw Error(ExitStatus::BadData,
                    "the parameters of the passphrase are out of all proportion");
    }
    if (crypto_pwhash(bytes_.data(), bytes_.size(), passphrase.data(), passphrase.size(),
                      bytes_of(derivation.salt), derivation.operations, derivation.memory,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        throw Error(ExitStatus::TryAgain, "no memory to derive a key from a passphrase");
    }
}

SealKey::~SealKey()
{
    sodium_memzero(bytes_.data(), bytes_.size());
}

uint64_t sealed_size(uint64_t size)
{
    const uint64_t chunks = std::max<uint64_t>(1, (size + chunk_size - 1) / chunk_size);
    return header_size + chunks * overhead + size;
}

std::string tag_of(std::string_view data, std::string_view key)
{
    static_assert(crypto_onetimeauth_BYTES == tag_size &&
                  crypto_onetimeauth_KEYBYTES == tag_key_size);
    if (key.size() != tag_key_size) {
        throw Error(ExitStatus::Bug, "a key for tags has 32 bytes");
    }
    start_library(); // it then uses what this processor has
    std::string tag(tag_size, '\0');
    static_cast<void>(
        crypto_onetimeauth(bytes_of(tag), bytes_of(data), data.size(), bytes_of(key)));
    return tag;
}

SealWriter::SealWriter(ByteSink sink, const SealKey &key, std::string_view context)
    : sink_(std::move(sink))
    , context_(context)
    , state_(std::make_unique<crypto_secretstream_xchacha20poly1305_state>())
{
    start_library();
    std::string header(header_size, '\0');
    static_cast<void>(crypto_secretstream_xchacha20poly1305_init_push(
        state_.get(), bytes_of(header), key.data()));
    sink_(header);
}

SealWriter::~SealWriter() = default;

void SealWriter::write(std::string_view data)
{
    while (!data.empty()) {
        // A full chunk waits for more: the last one, full or not, is marked as such.
        if (buffer_.size() == chunk_size) {
            seal(buffer_, false);
            buffer_.clear();
        }
        const size_t part = std::min(data.size(), chunk_size - buffer_.size());
        buffer_.append(data.substr(0, part));
        data.remove_prefix(part);
    }
}

void SealWriter::finish()
{
    seal(buffer_, true);
    buffer_.clear();
}

void SealWriter::seal(std::string_view chunk, bool last)
{
    std::string sealed(chunk.size() + overhead, '\0');
    static_cast<void>(crypto_secretstream_xchacha20poly1305_push(
        state_.get(), bytes_of(sealed), nullptr, bytes_of(chunk), chunk.size(),
        bytes_of(std::string_view(context_)), context_.size(),
        last ? final_tag : static_cast<unsigned char>(0)));
    sink_(sealed);
}

SealReader::SealReader(ByteSource source, const SealKey &key, std::string_view context,
                       std::string name)
    : source_(std::move(source))
    , context_(context)
    , name_(std::move(name))
    , state_(std::make_unique<crypto_secretstream_xchacha20poly1305_state>())
{
    start_library();
    const std::string header(take(header_size));
    if (header.size() != header_size ||
        crypto_secretstream_xchacha20poly1305_init_pull(
            state_.get(), bytes_of(std::string_view(header)), key.data()) != 0) {
        throw Error(ExitStatus::BadData, name_ + ": ends too early");
    }
}

SealReader::~SealReader() = default;

std::string_view SealReader::take(size_t size)
{
    buffer_.erase(0, used_);
    used_ = 0;
    while (buffer_.size() < size) {
        const std::string_view piece = source_();
        if (piece.empty()) {
            break;
        }
        buffer_.append(piece);
    }
    used_ = std::min(size, buffer_.size());
    return std::string_view(buffer_).substr(0, used_);
}

std::string_view SealReader::read()
{
    if (ended_) {
        return {};
    }
    const std::string_view sealed = take(chunk_size + overhead);
    chunk_.resize(sealed.size() < overhead ? 0 : sealed.size() - overhead);
    unsigned char tag = 0;
    if (sealed.size() < overhead ||
        crypto_secretstream_xchacha20poly1305_pull(
            state_.get(), bytes_of(chunk_), nullptr, &tag, bytes_of(sealed),
            sealed.size(), bytes_of(std::string_view(context_)), context_.size()) != 0) {
        throw Error(ExitStatus::BadData,
                    name_ + ": wrong passphrase, or the file was changed or cut off");
    }
    ended_ = tag == final_tag;
    if (ended_ && !take(1).empty()) {
        throw Error(ExitStatus::BadData, name_ + ": bytes follow its end");
    }
    return chunk_.empty() && !ended_ ? read() : std::string_view(chunk_);
}

SigningKeys SigningKeys::make()
{
    start_library();
    std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> open{};
    std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret{};
    static_cast<void>(crypto_sign_keypair(open.data(), secret.data()));
    SigningKeys keys{hex_of(secret.data(), secret.size()),
                     hex_of(open.data(), open.size())};
    sodium_memzero(secret.data(), secret.size());
    return keys;
}

std::string sign(std::string_view text, std::string_view secret)
{
    start_library();
    const std::string key = bytes_from_hex(secret, crypto_sign_SECRETKEYBYTES);
    if (key.empty()) {
        throw Error(ExitStatus::BadData, "expected a secret signing key, 128 hexadecimal "
                                         "digits, as --generate-key writes it");
    }
    std::array<unsigned char, crypto_sign_BYTES> signature{};
    static_cast<void>(crypto_sign_detached(signature.data(), nullptr, bytes_of(text),
                                           text.size(), bytes_of(std::string_view(key))));
    return hex_of(signature.data(), signature.size());
}

bool is_signed(std::string_view text, std::string_view signature, std::string_view open)
{
    start_library();
    const std::string key = bytes_from_hex(open, crypto_sign_PUBLICKEYBYTES);
    if (key.empty()) {
        throw Error(ExitStatus::BadData, "expected a public signing key, 64 hexadecimal "
                                         "digits, as --generate-key writes it");
    }
    const std::string bytes = bytes_from_hex(signature, crypto_sign_BYTES);
    return !bytes.empty() &&
           crypto_sign_verify_detached(bytes_of(std::string_view(bytes)), bytes_of(text),
                                       text.size(), bytes_of(std::string_view(key))) == 0;
}

std::string loaded_sodium_version()
{
    return sodium_version_string();
}

} // namespace ap
