/* An allocator for tests that keeps what the core frees, so that one can look
 * for secrets in it: every block that ever held one must have been wiped. It
 * moves a block on every change of its size, and fails an allocation if asked.
 * Any thread may allocate; everything else is for the test's own thread. */
#ifndef SPEC_WATCH_H
#define SPEC_WATCH_H

#include <stdbool.h>
#include <stddef.h>

void watch_start(void);          /* in place of the allocator, forgets all before */
void watch_stop(void);           /* the plain one again; nothing of the core may be alive */
void watch_fail_at(long number); /* that allocation from now on (0: the next) fails; < 0: none */
bool watch_has_failed(void);     /* it has come to that */

/* A secret, at least eight bytes; also as what it is the base64url of. */
void watch_for(const char *secret);
void watch_for_bytes(const char *secret, size_t length);

size_t watch_found(void); /* blocks that are gone and hold eight bytes of a secret */
size_t watch_freed(void); /* blocks that are gone */
size_t watch_alive(void); /* blocks that are not */

/* The bytes that a text without padding is the base64url of; 0: it is not. */
size_t watch_decode(const char *text, size_t length, char *out, size_t size);

#endif
