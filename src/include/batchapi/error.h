/* What went wrong, as data. Nothing in the core prints, aborts or raises: a
 * function that can fail returns false (or NULL) and fills a struct ba_error
 * that its caller owns. All text is copied, so an error outlives its cause.
 * A message is one line for people; it never holds a secret or a body. */
#ifndef BA_ERROR_H
#define BA_ERROR_H

#include <stdbool.h>

/* The kinds of design 1.2 in the order of ba_kind_name(). BA_NOMEM and
 * BA_MISUSE never reach a user as a kind: the binding raises them. */
enum ba_kind {
  BA_OK = 0,
  BA_INVALID,
  BA_AUTH,
  BA_RATE_LIMIT,
  BA_HTTP,
  BA_CONNECT,
  BA_TLS,
  BA_TIMEOUT,
  BA_TRUNCATED,
  BA_DECODE,
  BA_TOO_LARGE,
  BA_CANCELLED,
  BA_CLOSED,
  BA_IO,
  BA_LOCKED,
  BA_JOB,
  BA_NOMEM,
  BA_MISUSE
};

#define BA_ERROR_CODE_MAX 64
#define BA_ERROR_MESSAGE_MAX 512

struct ba_error {
  enum ba_kind kind;
  char code[BA_ERROR_CODE_MAX];       /* errno's name, OAuth's error, … or "" */
  char message[BA_ERROR_MESSAGE_MAX]; /* one line, cut (never mid UTF-8) */
};

/* The name of a kind as users see it: "invalid", "auth", … Never NULL. */
const char *ba_kind_name(enum ba_kind kind);

/* Fills *err (NULL is allowed and ignored) and returns false, so that a
 * function can end in `return ba_error_set(err, …)`. Control characters in
 * the formatted text become spaces: a message stays one line. */
bool ba_error_set(struct ba_error *err, enum ba_kind kind, const char *code, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* kind BA_IO, code = the errno's name ("ENOENT"), message "WHAT: reason". */
bool ba_error_errno(struct ba_error *err, int errnum, const char *what);

/* kind BA_NOMEM. */
bool ba_error_nomem(struct ba_error *err);

#endif
