#include "duration.h"

#include <stdio.h>

static const struct {
    unsigned long seconds;
    char unit;
} units[] = {{3600, 'h'}, {60, 'm'}, {1, 's'}};

size_t duration_write(unsigned long seconds, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        unsigned long count = seconds / units[i].seconds;

        seconds %= units[i].seconds;
        if (count > 0 && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%lu%c",
                                       length > 0 ? " " : "", count, units[i].unit);
    }
    if (length == 0)
        length = (size_t)snprintf(text, size, "0s");
    return length;
}
