#ifndef TAP_H
#define TAP_H

#include <stdio.h>

static int tests_run, tests_failed;

static void ok(int passed, const char *name)
{
    tests_run++;
    tests_failed += !passed;
    printf("%sok %d - %s\n", passed ? "" : "not ", tests_run, name);
}

static int done(void)
{
    printf("1..%d\n", tests_run);
    return tests_failed > 0;
}

#endif
