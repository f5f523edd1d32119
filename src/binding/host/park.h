/* What waits in nginx's event loop: a thing with an id of the engine's, and
 * the semaphore that is posted when it has news (batchapi/nginx.h). */
#ifndef BA_PARK_H
#define BA_PARK_H

#include "binding/base/binding.h"

#include "batchapi/nginx.h"

#include <stdint.h>

struct ba_parked {
  struct ba_parking *parking; /* retained while an entry may be in it; else NULL */
  int semaphore;              /* registry reference that keeps what was parked alive */
};

/* The rest of thing:park(mailbox, address, semaphore [, tell]), whose
 * arguments are on the stack from 2 on.   [-0, +0, e] */
void ba_park(lua_State *L, struct ba_parked *parked, uint64_t id);

/* Takes the entry out and lets go of the semaphore.   [-0, +0, -] */
void ba_unpark(lua_State *L, struct ba_parked *parked, uint64_t id);

/* The parking of a mailbox that has joined nginx, or an argument error. [-0, +0, v] */
struct ba_parking *ba_check_parking(lua_State *L, int index);

#endif
