#pragma once

#include "domain/test_output.hh"

#include <string_view>

namespace ap {

/// The test cases of JUnit XML, nested suites included. A name is "classname.name", or
/// "suite.name" without a class. Throws Error(BadData).
TestReport read_junit(std::string_view text);

} // namespace ap
