/* Calls that are over, kept to be made again (spares.c says why). */
#ifndef BA_SPARES_H
#define BA_SPARES_H

#include "engine/call_state.h"

struct ba_call *ba_spares_take(void); /* zeroed, but for the memory it brings; NULL: none */
bool ba_spares_keep_locked(struct ba_call *call); /* all else of it is freed; false: not wanted */
void ba_spares_free(struct ba_call *call);
void ba_spares_empty(void); /* gives all of them back */

#endif
