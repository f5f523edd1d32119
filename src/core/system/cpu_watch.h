/* A thread of its own that is told of another thread's use of the processor. One
 * per process. */
#ifndef BA_CPU_WATCH_H
#define BA_CPU_WATCH_H

/* Calls tick(), in its own thread, each time the calling thread, which blocks all
 * signals, has used that many seconds more. Without memory for a thread it does
 * not, until the next call of this; where it watches already, nothing happens. */
void ba_cpu_watch_start(double seconds, void (*tick)(void));
void ba_cpu_watch_stop(void); /* joins it */
void ba_cpu_watch_in_child(void);

#endif
