/* Which process this is: who keeps something of a process's own (a file with
 * bytes in hand, a lock) compares it with what it was then. Any thread. */
#ifndef BA_FORKS_H
#define BA_FORKS_H

/* Another number in a child of fork than in its parent, from the first call on;
 * unlike getpid() it costs no system call. */
unsigned ba_forks(void);

#endif
