/* What a call does next. A call goes NEW -> token -> turn -> RUNS, and from
 * there to its end or, through WAITS_RETRY, to another attempt. Everything here
 * runs in the I/O thread and never inside a callback of libcurl. */
#ifndef BA_FLOW_H
#define BA_FLOW_H

#include "engine/call_state.h"

void ba_flow_start(struct ba_call *call, struct ba_timers *timers);
/* The first may be the one that starts it: `timers` are those of the thread. */
void ba_flow_command(struct ba_call *call, unsigned commands, struct ba_timers *timers);
void ba_flow_end(struct ba_call *call, const struct ba_error *error); /* at any state */
struct ba_call *ba_flow_calls(void); /* the first of those that run */
void ba_flow_in_child(const struct ba_error *why);

#endif
