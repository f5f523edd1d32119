#include "batchapi/error.h"

#include "batchapi/printable.h"
#include "system/system.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    "ok",     "invalid", "auth",      "rate_limit", "http",      "connect",
    "tls",    "timeout", "truncated", "decode",     "too_large", "cancelled",
    "closed", "io",      "locked",    "job",        "nomem",     "misuse",
};

const char *ba_kind_name(enum ba_kind kind)
{
  return kind_names[kind];
}

/* Cuts a text that filled its buffer before a UTF-8 sequence that does not
 * fit whole, and makes it fit for a terminal. */
static void tidy(char *text, bool cut)
{
  size_t length = strlen(text);
  if(cut) {
    size_t start = length;
    while(start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
      start--;
    if(start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0xC0)
      text[start - 1] = '\0';
  }
  ba_make_printable(text, strlen(text));
}

bool ba_error_set(struct ba_error *err, enum ba_kind kind, const char *code, const char *format,
                  ...)
{
  if(!err)
    return false;
  err->kind = kind;
  snprintf(err->code, sizeof(err->code), "%s", code ? code : "");
  va_list args;
  va_start(args, format);
  int length = vsnprintf(err->message, sizeof(err->message), format, args);
  va_end(args);
  tidy(err->message, length >= (int)sizeof(err->message));
  return false;
}

bool ba_error_errno(struct ba_error *err, int errnum, const char *what)
{
  const char *name = ba_errno_name(errnum);
  return ba_error_set(err, BA_IO, name ? name : "EUNKNOWN", "%s: %s", what, strerror(errnum));
}

bool ba_error_nomem(struct ba_error *err)
{
  return ba_error_set(err, BA_NOMEM, "ENOMEM", "not enough memory");
}
