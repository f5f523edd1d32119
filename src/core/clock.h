/* Seconds, always as doubles. ba_now() is monotonic and serves every deadline;
 * ba_wall() is the calendar's and serves tokens and Retry-After dates only. */
#ifndef BA_CLOCK_H
#define BA_CLOCK_H

double ba_now(void);
double ba_wall(void);

#endif
