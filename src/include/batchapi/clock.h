/* Seconds, always as doubles. ba_now() is monotonic and serves every deadline;
 * ba_wall() is the calendar's and serves tokens and Retry-After dates only. */
#ifndef BA_CLOCK_H
#define BA_CLOCK_H

#include <stdbool.h>

double ba_now(void);
double ba_wall(void);

/* Which boot of which machine this is, and the seconds since it began, which go
 * on while it sleeps: the same for all its processes, so that one may count on
 * where another was killed. False: this system does not tell. */
enum { BA_BOOT_ID_MAX = 80 };
bool ba_boot(char id[BA_BOOT_ID_MAX], double *seconds);

#endif
