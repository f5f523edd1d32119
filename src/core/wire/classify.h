/* From what libcurl and the server said to what it means. */
#ifndef BA_CLASSIFY_H
#define BA_CLASSIFY_H

#include "http/retry.h"
#include "wire/internal.h"

/* What the attempt that has just ended came to, by libcurl's result and the
 * answer's head and body. True: a whole answer below 300. */
bool ba_classify(struct ba_call *call, CURLcode code, struct ba_failure *out);

#endif
