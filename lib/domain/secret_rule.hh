#pragma once

#include <string>
#include <string_view>

namespace ap {

/// Whether a file of that name (without directory) is taken to hold a secret and is never
/// backed up, in whatever case it is written: environment files (.env, .env.*, *.env),
/// keys and key stores (*.key, *.pem, *.p12, *.pfx, *.kdbx, id_rsa, id_ecdsa,
/// id_ed25519), log-ins (.netrc, .pgpass, .git-credentials, auth.json) and every name
/// with "secret", "credential", "password", "passphrase", "api_key", "api-key" or
/// "apikey" in it.
bool is_secret_name(std::string_view name);

/// Whether a configuration file holds what looks like a key: a PEM private key, or one of
/// the prefixes that providers give their keys (sk-, ghp_, github_pat_, AIza, AKIA,
/// xoxb-, glpat-, apk-) at the start of a word, with 16 or more characters of a key after
/// it.
bool holds_secret(std::string_view text);

} // namespace ap
