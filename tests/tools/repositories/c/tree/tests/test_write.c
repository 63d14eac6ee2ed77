#include "duration.h"
#include "tap.h"

#include <string.h>

static int writes(unsigned long seconds, const char *expected)
{
    char text[64];

    return duration_write(seconds, text, sizeof(text)) == strlen(expected) &&
           strcmp(text, expected) == 0;
}

int main(void)
{
    ok(writes(0, "0s"), "nothing is written as no seconds");
    ok(writes(59, "59s"), "seconds are written");
    ok(writes(3725, "1h 2m 5s"), "hours, minutes and seconds are written");
    ok(writes(3600, "1h"), "units without a count are left out");
    return done();
}
