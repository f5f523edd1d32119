/* The I/O thread, for process.c. It starts with the first call (ba_call_start()). */
#ifndef BA_ENGINE_H
#define BA_ENGINE_H

#include <stdbool.h>

/* Stops and joins it: for good, or unless there is a mailbox again. */
void ba_engine_stop(bool for_good);

void ba_engine_before_fork(void);
void ba_engine_after_fork(void);
void ba_engine_in_child(void);

#endif
