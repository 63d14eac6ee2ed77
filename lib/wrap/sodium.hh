#pragma once

#include "base/bytes.hh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct crypto_secretstream_xchacha20poly1305_state;

namespace ap {

/// `count` random bytes, fit for keys.
std::string random_bytes(size_t count);

/// The 32-byte BLAKE2b hash of `data` as 64 lower-case hexadecimal digits.
std::string blake2b_hex(std::string_view data);

/// `data` in URL-safe base64 without padding: four characters for each three bytes, all
/// of them letters, digits, '-' and '_'.
std::string base64url(std::string_view data);

/// `data` in the usual base64 with padding, and the reverse; nothing if `text` is none.
std::string base64(std::string_view data);
std::optional<std::string> from_base64(std::string_view text);

/// Whether two texts are the same, in a time that depends on their lengths only.
bool equal_secrets(std::string_view one, std::string_view other);

/// The argon2id hash of a password with its salt and parameters, as text. Takes about
/// 50 ms and 64 MiB; throws Error(TryAgain) if there is not so much memory.
std::string hash_password(std::string_view password);

/// Whether `hash`, which hash_password() made, is of `password`. Costs as much.
bool is_password_of(const std::string &hash, std::string_view password);

/// A hash of the cost that hash_password() makes now, of a password nobody knows.
const std::string &unmatchable_password_hash();

/// What a passphrase is turned into a key with (argon2id). Not secret; a reader needs it.
struct KeyDerivation
{
    std::string salt; ///< 16 bytes
    uint64_t operations = 3;
    uint64_t memory = 64U << 20; ///< bytes

    /// With a new random salt.
    static KeyDerivation make();
};

/// A key that is wiped from memory at the end of its life.
class SealKey
{
public:
    /// Takes a good tenth of a second and `derivation.memory` bytes, on purpose. Throws
    /// Error(BadData) for parameters beyond 16 operations or 1 GiB, which would be an
    /// attack on whoever reads them from a file.
    SealKey(std::string_view passphrase, const KeyDerivation &derivation);
    ~SealKey();
    SealKey(const SealKey &) = default;
    SealKey &operator=(const SealKey &) = default;

    const uint8_t *data() const noexcept { return bytes_.data(); }

private:
    std::array<uint8_t, 32> bytes_{};
};

/// The bytes that `size` bytes become when they are sealed.
uint64_t sealed_size(uint64_t size);

/// The bytes of a tag, and of the key that tags are made with.
inline constexpr size_t tag_size = 16;
inline constexpr size_t tag_key_size = 32;

/// A tag to see by whether something changed (Poly1305). Two different texts of up to 16
/// KiB have the same tag with a probability of at most 2^-93, whoever chose them, unless
/// he knew the key. As the same key makes many tags, they do not authenticate anything.
std::string tag_of(std::string_view data, std::string_view key);

/// Encrypts and authenticates a stream (XChaCha20-Poly1305, libsodium's secretstream) in
/// chunks: no byte can be changed, moved, taken away or added without the reader
/// noticing.
class SealWriter
{
public:
    /// `context` is not written; the reader must know the same.
    SealWriter(ByteSink sink, const SealKey &key, std::string_view context);
    ~SealWriter();
    SealWriter(const SealWriter &) = delete;
    SealWriter &operator=(const SealWriter &) = delete;

    void write(std::string_view data);

    /// Writes what is left, and the end.
    void finish();

private:
    void seal(std::string_view chunk, bool last);

    ByteSink sink_;
    std::string context_;
    std::string buffer_;
    std::unique_ptr<crypto_secretstream_xchacha20poly1305_state> state_;
};

/// Gives back what a SealWriter was given.
class SealReader
{
public:
    /// Reads sealed bytes from `source` until it ends. Throws Error(BadData), beginning
    /// with `name`, for a wrong key and for anything that is not exactly what was
    /// written.
    SealReader(ByteSource source, const SealKey &key, std::string_view context,
               std::string name);
    ~SealReader();
    SealReader(const SealReader &) = delete;
    SealReader &operator=(const SealReader &) = delete;

    /// The next piece; empty at the end.
    std::string_view read();

private:
    /// `size` bytes of the source, or fewer at its end.
    std::string_view take(size_t size);

    ByteSource source_;
    std::string context_;
    std::string name_;
    std::string buffer_;
    size_t used_ = 0; // of buffer_
    std::string chunk_;
    bool ended_ = false;
    std::unique_ptr<crypto_secretstream_xchacha20poly1305_state> state_;
};

/// An ed25519 key pair as text for two files: 128 and 64 hexadecimal digits.
struct SigningKeys
{
    std::string secret;
    std::string open;

    static SigningKeys make();
};

/// The signature of `text`, 128 hexadecimal digits. Throws Error(BadData) if `secret` is
/// no secret key.
std::string sign(std::string_view text, std::string_view secret);

/// Whether `signature` is that of `text` by the owner of the key `open`. Throws
/// Error(BadData) if `open` is no public key.
bool is_signed(std::string_view text, std::string_view signature, std::string_view open);

/// The version of libsodium that is loaded.
std::string loaded_sodium_version();

} // namespace ap
