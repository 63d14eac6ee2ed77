#ifndef DURATION_H
#define DURATION_H

#include <stddef.h>

/* Writes seconds as "1h 2m 5s", cut off if it does not fit; its length. */
size_t duration_write(unsigned long seconds, char *text, size_t size);

#endif
