#pragma once

#include <string>

namespace ap {

/// A secret from standard input, so that it is in no argument: from a terminal with
/// `prompt` on standard error and without echo, twice, until both are the same; otherwise
/// the first line. The newline is taken off. Throws Error(BadData) at the end of input.
std::string read_secret(const std::string &prompt);

} // namespace ap
