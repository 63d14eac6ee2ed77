#pragma once

#include "domain/test_output.hh"

#include <string_view>

namespace ap {

/// TAP: results of the outermost level; SKIP and TODO are skipped. A plan that was not
/// fulfilled and "Bail out!" are failures of their own.
TestReport read_tap(std::string_view text);

/// pytest: with -v each test by name, else those that failed, and counts.
TestReport read_pytest(std::string_view text);

/// Whether a line is pytest's last: "= 1 failed, 2 passed in 0.12s =", with -q without
/// "=".
bool is_pytest_summary(std::string_view line);

/// ctest.
TestReport read_ctest(std::string_view text);

/// cmocka and googletest. A test that began and did not end is a failure.
TestReport read_cmocka(std::string_view text);

} // namespace ap
