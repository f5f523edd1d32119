#include "http/headers.h"

#include "batchapi/http.h"
#include "batchapi/http_date.h"
#include "http/framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void ba_head_init(struct ba_head *head, size_t cap)
{
  *head = (struct ba_head){.cap = cap, .text = head->text};
  ba_buffer_renew(&head->text, cap);
}

void ba_head_free(struct ba_head *head)
{
  ba_buffer_free(&head->text);
}

void ba_head_clear(struct ba_head *head)
{
  head->status = 0;
  head->version[0] = '\0';
  head->closed = head->chunked = head->muddled = false;
  head->count = head->trailers = head->seen = head->last = 0;
  head->length = -1;
  ba_buffer_clear(&head->text);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static void status_line(struct ba_head *head, const char *line, size_t length)
{
  ba_buffer_clear(&head->text);
  head->count = head->trailers = head->last = 0;
  head->closed = head->muddled = false;
  head->status = 0;
  size_t at = 5, n = 0;
  while(at < length && line[at] != ' ' && n + 1 < sizeof(head->version))
    head->version[n++] = line[at++];
  head->version[n] = '\0';
  while(at < length && line[at] == ' ')
    at++;
  int status = 0;
  for(int digits = 0; digits < 3 && at < length && line[at] >= '0' && line[at] <= '9'; digits++)
    status = status * 10 + (line[at++] - '0');
  head->status = status;
}

static bool blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool add_text(struct ba_head *head, const char *line, size_t length, struct ba_error *err)
{
  enum { USUAL = 1000 };
  if(!head->text.bytes && head->text.cap > USUAL && !ba_buffer_reserve(&head->text, USUAL, err))
    return false;
  if(!ba_buffer_reserve(&head->text, length + 1, err))
    return false;
  char *at = memcpy(head->text.bytes + head->text.length, line, length);
  /* A NUL inside a value would cut it short for every reader. */
  bool whole = true;
  for(char *nul; (nul = memchr(at, '\0', length)) != NULL; whole = false)
    *nul = ' ';
  at[length] = '\0';
  head->muddled = head->muddled || (!whole && !head->closed && ba_framing_names(at));
  head->text.length += length + 1;
  return true;
}

/* RFC 9112 5.2: the value of the line before goes on; what folds it is a space. */
static bool folded_line(struct ba_head *head, const char *line, size_t length, struct ba_error *err)
{
  if((head->closed ? head->trailers : head->count) == 0)
    return true;
  while(length > 1 && blank(line[1])) {
    line++;
    length--;
  }
  size_t end = head->text.length - 1; /* the NUL's place */
  /* of what frames the body nobody folds any more but to be misread */
  head->muddled =
      head->muddled || (!head->closed && ba_framing_names(head->text.bytes + head->last));
  if(!add_text(head, line + 1, length - 1, err))
    return false;
  head->text.bytes[end] = ' ';
  return true;
}

/* Kept as it came, but for its end; it is taken apart by who asks. */
static bool field_line(struct ba_head *head, const char *line, size_t length, struct ba_error *err)
{
  if(blank(line[0]))
    return folded_line(head, line, length, err);
  if(!memchr(line, ':', length) || line[0] == ':')
    return true; /* not a field: libcurl has refused what is dangerous */
  if(head->count + head->trailers == BA_HEADER_LINES_MAX)
    return ba_error_set(err, BA_TOO_LARGE, NULL, "the answer's header has more than %d lines",
                        BA_HEADER_LINES_MAX);
  size_t start = head->text.length;
  if(!add_text(head, line, length, err))
    return false;
  head->last = start;
  if(head->closed)
    head->trailers++;
  else
    head->count++;
  return true;
}

const char *ba_head_framing(const char *name)
{
  static const char *const framing[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                        "Connection", "Upgrade",        "TE",
                                        "Trailer",    "Expect"};
  for(size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
    if(strcasecmp(name, framing[i]) == 0)
      return framing[i];
  }
  return NULL;
}

bool ba_head_line(struct ba_head *head, const char *line, size_t length, struct ba_error *err)
{
  head->seen += length;
  if(head->seen > head->cap)
    return ba_error_set(err, BA_TOO_LARGE, NULL, "the answer's header is larger than %zu bytes",
                        head->cap);
  bool begins = head->closed ? head->status < 200 : head->count == 0;
  if(length >= 5 && memcmp(line, "HTTP/", 5) == 0 && begins) {
    status_line(head, line, length);
    return true;
  }
  while(length && blank(line[length - 1]))
    length--;
  if(length == 0) {
    if(head->closed)
      return true;       /* of the trailers */
    head->closed = true; /* what follows are trailers */
    if(!head->status)
      return ba_error_set(err, BA_DECODE, NULL, "the answer does not begin as one of HTTP does");
    return head->status < 200 || ba_framing_read(head, err);
  }
  return field_line(head, line, length, err);
}

const char *ba_head_get(const struct ba_head *head, const char *name)
{
  const char *line = head->text.bytes;
  size_t length = strlen(name);
  for(size_t i = 0; i < head->count; i++) {
    if((line[0] | 0x20) == name[0] && strncasecmp(line, name, length) == 0 && line[length] == ':') {
      const char *value = line + length + 1;
      while(blank(*value))
        value++;
      return value;
    }
    line += strlen(line) + 1;
  }
  return NULL;
}

void ba_head_views(struct ba_head *head, struct ba_header_view *views)
{
  char *line = head->text.bytes;
  for(size_t i = 0; i < head->count + head->trailers; i++) {
    size_t length = strlen(line);
    char *at = line;
    for(; *at != ':'; at++) {
      if(*at >= 'A' && *at <= 'Z')
        *at += 32;
    }
    *at++ = '\0';
    while(blank(*at))
      at++;
    views[i].name = line;
    views[i].value = at;
    views[i].value_length = (size_t)(line + length - at);
    line += length + 1;
  }
}

static bool digits(const char **at, int64_t *out)
{
  if(**at < '0' || **at > '9')
    return false;
  int64_t value = 0;
  while(**at >= '0' && **at <= '9') {
    int digit = *(*at)++ - '0';
    if(value > (INT64_MAX - digit) / 10)
      return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

bool ba_content_range(const char *value, int64_t *first, int64_t *last, int64_t *total)
{
  if(strncasecmp(value, "bytes ", 6) != 0)
    return false;
  const char *at = value + 6;
  while(*at == ' ')
    at++;
  if(!digits(&at, first) || *at++ != '-' || !digits(&at, last) || *at++ != '/')
    return false;
  *total = -1;
  if(*at == '*')
    at++;
  else if(!digits(&at, total))
    return false;
  while(*at == ' ')
    at++;
  return *at == '\0' && *first <= *last && (*total < 0 || *last < *total);
}

const char *ba_head_validator(const struct ba_head *head)
{
  const char *etag = ba_head_get(head, "etag");
  if(etag && etag[0] == '"')
    return etag;
  /* A date has one second's grain: two versions within it look the same,
   * unless the answer was made later (RFC 9110 8.8.2.2). */
  const char *modified = ba_head_get(head, "last-modified");
  const char *date = ba_head_get(head, "date");
  int64_t then, now;
  bool strong = modified && date && ba_http_date(date, 0, &now) &&
                ba_http_date(modified, now, &then) && now > then;
  return strong ? modified : NULL;
}
