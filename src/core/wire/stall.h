/* How long nothing may happen: the stall and the silent timeout. */
#ifndef BA_STALL_H
#define BA_STALL_H

#include "http/retry.h"
#include "wire/transfer_state.h"

/* Seconds until it is to be looked at again. */
double ba_stall_step(const struct ba_transfer *transfer);
/* Has the attempt stood still for too long? A server that thinks may be silent
 * as long as the call may last (`bounded`: it has a deadline); without one the
 * time counts from the last byte sent. */
bool ba_has_stalled(struct ba_transfer *transfer, bool bounded, double now,
                    struct ba_failure *failure);

#endif
