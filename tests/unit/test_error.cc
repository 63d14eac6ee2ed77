#include "check.hh"

#include "base/error.hh"

#include <cerrno>

using namespace ap;

namespace {

void an_error_carries_message_and_status()
{
    const Error error(ExitStatus::Config, "bad value");
    CHECK_EQUAL(error.what(), std::string("bad value"));
    CHECK_EQUAL(error.status(), ExitStatus::Config);
    CHECK_EQUAL(UsageError("x").status(), ExitStatus::Usage);
}

void a_system_error_adds_the_text_of_errno()
{
    const SystemError error("cannot open 'x'", ENOENT);
    CHECK_EQUAL(error.what(), std::string("cannot open 'x': No such file or directory"));
    CHECK_EQUAL(error.code(), ENOENT);
}

void the_status_follows_from_errno()
{
    constexpr std::pair<int, ExitStatus> expected[] = {
        {ENOENT, ExitStatus::NoInput},      {ENOTDIR, ExitStatus::NoInput},
        {EACCES, ExitStatus::NoPermission}, {EPERM, ExitStatus::NoPermission},
        {EROFS, ExitStatus::NoPermission},  {EAGAIN, ExitStatus::TryAgain},
        {EINTR, ExitStatus::TryAgain},      {ENOMEM, ExitStatus::TryAgain},
        {EMFILE, ExitStatus::TryAgain},     {ENOSPC, ExitStatus::InputOutput},
        {EIO, ExitStatus::InputOutput},     {EISDIR, ExitStatus::InputOutput},
    };
    for (const auto &[code, status] : expected) {
        CHECK_EQUAL(SystemError("x", code).status(), status);
    }
}

void throw_errno_takes_the_current_errno()
{
    const auto failing = [] {
        errno = EROFS;
        throw_errno("cannot write 'y'");
    };
    CHECK_THROWS((failing(), 0), SystemError, [](const SystemError &error) {
        CHECK_EQUAL(error.code(), EROFS);
        CHECK(std::string_view(error.what()).starts_with("cannot write 'y': "));
    });
}

void the_table_of_statuses_rises()
{
    int last = -1;
    for (const ExitStatusName &row : exit_status_names) {
        CHECK(static_cast<int>(row.status) > last);
        CHECK(!row.name.empty());
        last = static_cast<int>(row.status);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_error_carries_message_and_status),
        TEST(a_system_error_adds_the_text_of_errno),
        TEST(the_status_follows_from_errno),
        TEST(throw_errno_takes_the_current_errno),
        TEST(the_table_of_statuses_rises),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
