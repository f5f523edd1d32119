/* Random bytes from the system. */
#ifndef BA_RANDOM_H
#define BA_RANDOM_H

#include "error.h"

#include <stddef.h>

bool ba_random(void *out, size_t length, struct ba_error *err);

#endif
