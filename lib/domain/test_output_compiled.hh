#pragma once

#include "domain/test_output.hh"

#include <string_view>

namespace ap {

/// `go test -json`. A name is "package.Test"; a package that fails without a test of its
/// own, or is not built, is a failure by its name.
TestReport read_go_json(std::string_view text);

/// `go test`, with -v each test by name. Names as read_go_json() has them.
TestReport read_go(std::string_view text);

/// `cargo test`. A name is "target::test", the target as cargo names its source.
TestReport read_cargo(std::string_view text);

} // namespace ap
