/* From a part of a struct to the struct. */
#ifndef BA_OWNER_H
#define BA_OWNER_H

#include <stddef.h>

#define BA_OWNER(part, type, member) ((type *)(void *)((char *)(part)-offsetof(type, member)))

#endif
