#include "check.hh"

#include "base/clock.hh"

#include <cstdlib>
#include <ctime>

using namespace ap;

namespace {

void rfc3339_is_utc_with_three_digits_of_milliseconds()
{
    CHECK_EQUAL(format_rfc3339(0), "1970-01-01T00:00:00.000Z");
    CHECK_EQUAL(format_rfc3339(1'795'517'772'123), "2026-11-24T10:56:12.123Z");
    CHECK_EQUAL(format_rfc3339(1'795'517'772'007), "2026-11-24T10:56:12.007Z");
}

void instants_before_1970_are_not_off_by_a_second()
{
    CHECK_EQUAL(format_rfc3339(-1), "1969-12-31T23:59:59.999Z");
    CHECK_EQUAL(format_rfc3339(-1000), "1969-12-31T23:59:59.000Z");
}

void rfc3339_is_read_as_it_is_written()
{
    CHECK(parse_rfc3339("2026-11-24T10:56:12.007Z") == 1'795'517'772'007);
    CHECK(parse_rfc3339("1969-12-31T23:59:59.999Z") == -1);
    for (const char *text :
         {"", "2026-11-24", "2026-11-24T10:56:12Z", "2026-11-24T10:56:12.07Z",
          "2026-11-24T10:56:12.0007Z", "2026-02-30T10:56:12.007Z",
          "2026-11-24T10:56:12.007Z ", "2026-11-24T 9:56:12.007Z",
          "2026-11-24T10:56:12.007+01:00"}) {
        CHECK(!parse_rfc3339(text));
    }
}

void local_times_follow_the_time_zone()
{
    setenv("TZ", "XYZ-02", 1);
    tzset();
    CHECK_EQUAL(format_local(1'795'517'772'999), "2026-11-24 12:56:12");
    // RFC 3339 stays in UTC.
    CHECK_EQUAL(format_rfc3339(0), "1970-01-01T00:00:00.000Z");
}

void the_system_clock_tells_the_time()
{
    const SystemClock clock;
    const UnixMs before = static_cast<UnixMs>(time(nullptr)) * 1000;
    const UnixMs now = clock.now();
    // time() may lag the clock by a tick.
    CHECK(now >= before && now < before + 60'000);
}

void monotonic_time_never_falls()
{
    const SystemClock clock;
    auto last = clock.monotonic();
    for (int i = 0; i < 1000; i++) {
        const auto now = clock.monotonic();
        CHECK(now >= last);
        last = now;
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(rfc3339_is_utc_with_three_digits_of_milliseconds),
        TEST(rfc3339_is_read_as_it_is_written),
        TEST(instants_before_1970_are_not_off_by_a_second),
        TEST(local_times_follow_the_time_zone),
        TEST(the_system_clock_tells_the_time),
        TEST(monotonic_time_never_falls),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
