/* Redirects. API calls do not follow them: a service that answers a bad token
 * with a redirect to its login page (FactSet) would otherwise look like a page
 * of HTML. Downloads may, if the caller says so: GET and HEAD only, never from
 * https to http, never with a credential to another origin. */
#include "wire/redirect.h"

#include "batchapi/alloc.h"
#include "http/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REDIRECTS_MAX = 5 };

static bool is_redirect(int status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool downgrades(const char *from, const char *to)
{
  return strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0;
}

/* Why the call does not go there; NULL: it does. */
static const char *refusal(const struct ba_transfer *transfer, const char *target)
{
  const char *method = transfer->request->method;
  if(!transfer->request->options.allow_redirects)
    return "this call follows no redirect";
  if(strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return "only GET and HEAD follow a redirect";
  if(strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
    return "that is no place of HTTP";
  if(downgrades(ba_transfer_url(transfer), target))
    return "a redirect does not leave https";
  return transfer->redirects >= REDIRECTS_MAX ? "that is one redirect too many" : NULL;
}

/* Where the answer points, if it is a redirect; freed with ba_free(). */
static char *target_of(const struct ba_transfer *transfer)
{
  const char *location =
      is_redirect(transfer->head.status) ? ba_head_get(&transfer->head, "location") : NULL;
  return location ? ba_url_resolve(ba_transfer_url(transfer), location) : NULL;
}

void ba_redirect_explain(const struct ba_transfer *transfer, char *out, size_t size)
{
  char *target = target_of(transfer);
  const char *why = target ? refusal(transfer, target) : NULL;
  if(target)
    target[strcspn(target, "?#")] = '\0'; /* what is there may be a secret, and is long */
  char *place = target ? ba_url_redact(target) : NULL;
  if(place && why)
    snprintf(out, size, ", which points to %.200s: %s", place, why);
  else
    *out = '\0';
  ba_free(place);
  ba_free(target);
}

bool ba_redirect_follow(struct ba_transfer *transfer)
{
  char *target = target_of(transfer);
  if(!target || refusal(transfer, target)) {
    ba_free(target);
    return false;
  }
  ba_free(transfer->url);
  transfer->url = target;
  transfer->redirects++;
  /* Once away from the origin, headers do not come back either. */
  transfer->foreign = transfer->foreign || !ba_url_same_origin(transfer->request->url, target);
  return true;
}

bool ba_redirect_forget(struct ba_transfer *transfer)
{
  if(!transfer->url)
    return false;
  ba_free(transfer->url);
  transfer->url = NULL;
  transfer->redirects = 0;
  transfer->foreign = false;
  return true;
}

/* Whatever the case of its letters. */
static bool holds(const char *text, const char *word)
{
  size_t length = strlen(word);
  while(*text && strncasecmp(text, word, length) != 0)
    text++;
  return *text != '\0';
}

bool ba_redirect_to_login(const struct ba_transfer *transfer)
{
  static const char *const words[] = {"login", "signin", "sign-in", "auth", "sso"};
  const char *location = ba_head_get(&transfer->head, "location");
  if(!location || !is_redirect(transfer->head.status))
    return false;
  char *target = ba_url_resolve(ba_transfer_url(transfer), location);
  bool login = false;
  if(target && !ba_url_same_origin(ba_transfer_url(transfer), target)) {
    target[strcspn(target, "?")] = '\0';
    for(size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
      login = login || holds(target, words[i]);
  }
  ba_free(target);
  return login;
}

bool ba_redirect_header_travels(const char *line)
{
  static const char *const names[] = {
      "Accept:", "Accept-Encoding:", "Accept-Language:", "User-Agent:", "Range:"};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if(strncasecmp(line, names[i], strlen(names[i])) == 0)
      return true;
  }
  return false;
}
