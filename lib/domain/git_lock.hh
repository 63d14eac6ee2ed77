#pragma once

#include <chrono>
#include <string>

namespace ap {

/// Removes the lock of `reference` ("refs/heads/x") that a git left which was killed in
/// the middle of moving it, and which keeps every later git from that. True if there was
/// one.
///
/// Only a lock whose owner is certainly dead is removed: whoever made it lived when it
/// was first seen, so that of the gits of this user that were at work in the repository
/// then none may be left, and it must be the same lock still. Throws Error(TryAgain)
/// naming file and process if one is left after `patience`, and naming the file if git
/// may be at work on other machines as well, which cannot be seen from here.
bool clear_stale_lock(const std::string &directory, const std::string &reference,
                      std::chrono::milliseconds patience = std::chrono::seconds(5));

} // namespace ap
