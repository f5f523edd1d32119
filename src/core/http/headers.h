/* The head of an answer as it comes in, line by line: names in lower case,
 * values without surrounding white space, everything within a cap. Also the
 * readers of single values that the engine itself needs. */
#ifndef BA_HEADERS_H
#define BA_HEADERS_H

#include "batchapi/buffer.h"

#include <stdint.h>

#define BA_HEADER_LINES_MAX 5000 /* of one answer */

struct ba_header_view;

struct ba_head {
  int status;            /* of the last status line; 0: none yet */
  char version[8];       /* "1.1", "2" */
  bool closed;           /* the blank line came; what follows are trailers */
  bool chunked;          /* the body comes in chunks; once it is closed */
  int64_t length;        /* of the body, as the head says; -1: it does not */
  bool muddled;          /* a field that frames the body is folded, or holds a NUL */
  size_t last;           /* where the last line begins in `text` */
  struct ba_buffer text; /* lines, each with a NUL */
  size_t count, trailers;
  size_t seen; /* bytes of all lines of this attempt, against the cap */
  size_t cap;
};

/* A zeroed one, or a used one, which keeps its memory. */
void ba_head_init(struct ba_head *head, size_t cap);
void ba_head_free(struct ba_head *head);
void ba_head_clear(struct ba_head *head); /* for the next attempt; keeps the memory */
/* One line as libcurl gives it, with or without CRLF. A new status line
 * begins a new head (interim answers vanish). False: cap, memory, a body whose
 * end is not clear. */
bool ba_head_line(struct ba_head *head, const char *line, size_t length, struct ba_error *err);
/* The first value of that (lower-case) name, NUL-terminated; NULL if absent. */
const char *ba_head_get(const struct ba_head *head, const char *name);
/* Is it a header that frames a request or says where it goes? Then its usual
 * spelling: it is made from what is sent. */
const char *ba_head_framing(const char *name);
/* Fills `views` (head->count of them, and then head->trailers); takes the text apart for it, so
 * that ba_head_get() finds nothing afterwards. */
void ba_head_views(struct ba_head *head, struct ba_header_view *views);

/* RFC 9110 14.4, "bytes 5-9/10": false if it is not of that form. total is -1
 * for an asterisk. */
bool ba_content_range(const char *value, int64_t *first, int64_t *last, int64_t *total);
/* A strong validator for If-Range: the ETag if it is strong, else the
 * Last-Modified date; NULL if there is none. */
const char *ba_head_validator(const struct ba_head *head);

#endif
