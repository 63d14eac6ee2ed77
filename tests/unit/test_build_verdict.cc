#include "check.hh"
#include "support.hh"

#include "domain/build_verdict.hh"

using namespace ap;

namespace {

void what_is_written_is_read()
{
    const check::TemporaryDirectory directory;
    write_build_verdict(directory.path(),
                        {PhaseNext::Wait, "waits for approval 7", 1234});
    const auto verdict = read_build_verdict(directory.path());
    CHECK(verdict->next == PhaseNext::Wait);
    CHECK_EQUAL(verdict->reason, "waits for approval 7");
    CHECK_EQUAL(verdict->until.value_or(0), 1234);
    write_build_verdict(directory.path(), {PhaseNext::Skip, "stuck", std::nullopt});
    CHECK(read_build_verdict(directory.path())->next == PhaseNext::Skip);
    CHECK(!read_build_verdict(directory.path())->until);
}

void what_is_no_verdict_is_none()
{
    const check::TemporaryDirectory directory;
    CHECK(!read_build_verdict(directory.path()));
    for (const char *text : {"", "{}", "[1]", R"({"next": "dance", "reason": "x"})",
                             R"({"next": "retry"})"}) {
        replace_file(verdict_path(directory.path()), text);
        CHECK(!read_build_verdict(directory.path()));
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(what_is_no_verdict_is_none),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
