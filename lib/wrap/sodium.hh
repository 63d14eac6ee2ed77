#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

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

} // namespace ap
