/* From what libcurl and the server said to what it means. */
#ifndef BA_CLASSIFY_H
#define BA_CLASSIFY_H

#include "http/retry.h"
#include "wire/transfer_state.h"

/* What the attempt that has just ended came to, by libcurl's result and the
 * answer's head and body. True: a whole answer below 300. */
bool ba_classify(struct ba_transfer *transfer, struct ba_failure *out);
/* Did libcurl carry it to its end? */
bool ba_came_through(const struct ba_transfer *transfer);

#endif
