#include "duration.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    char text[64];

    if (argc != 2) {
        fprintf(stderr, "usage: durations SECONDS\n");
        return 2;
    }
    duration_write(strtoul(argv[1], NULL, 10), text, sizeof(text));
    puts(text);
    return 0;
}
