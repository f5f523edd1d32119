/* A descriptor that is readable once it was rung, until it is quieted. */
#ifndef BA_WAKE_H
#define BA_WAKE_H

struct ba_wake {
  int fd;   /* to wait for; -1: none */
  int bell; /* to write to; the same one where the system has eventfd */
};

#define BA_NO_WAKE                                                                                 \
  {                                                                                                \
    -1, -1                                                                                         \
  }

int ba_wake_open(struct ba_wake *wake); /* 0, or an errno value */
void ba_wake_close(struct ba_wake *wake);
void ba_wake_ring(int bell); /* any thread; also an eventfd or a pipe of another's */
void ba_wake_quiet(const struct ba_wake *wake);

#endif
