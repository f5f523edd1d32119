/* A descriptor that becomes readable once, after a time. For event loops that can
 * wait for descriptors only. */
#ifndef BA_AFTER_H
#define BA_AFTER_H

#include <stdbool.h>

int ba_after(double seconds);  /* the descriptor; -1 and errno */
bool ba_after_expired(int fd); /* true once */
void ba_after_close(int fd);

#endif
