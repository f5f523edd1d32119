/* Redirects. API calls do not follow them: a service that answers a bad token
 * with a redirect to its login page (FactSet) would otherwise look like a page
 * of HTML. Downloads may, if the caller says so: GET and HEAD only, never from
 * https to http, never with a credential to another origin. */
#include "wire/internal.h"

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
static const char *refusal(const struct ba_call *call, const char *target)
{
  const char *method = call->request->method;
  if(!call->request->options.allow_redirects)
    return "this call follows no redirect";
  if(strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return "only GET and HEAD follow a redirect";
  if(strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
    return "that is no place of HTTP";
  if(downgrades(ba_call_url(call), target))
    return "a redirect does not leave https";
  return call->redirects >= REDIRECTS_MAX ? "that is one redirect too many" : NULL;
}

/* Where the answer points, if it is a redirect; freed with ba_free(). */
static char *target_of(struct ba_call *call)
{
  const char *location =
      is_redirect(call->head.status) ? ba_head_get(&call->head, "location") : NULL;
  return location ? ba_url_resolve(ba_call_url(call), location) : NULL;
}

void ba_redirect_explain(struct ba_call *call, char *out, size_t size)
{
  char *target = target_of(call);
  const char *why = target ? refusal(call, target) : NULL;
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

bool ba_redirect_follow(struct ba_call *call)
{
  char *target = target_of(call);
  if(!target || refusal(call, target)) {
    ba_free(target);
    return false;
  }
  ba_free(call->url);
  call->url = target;
  call->redirects++;
  /* Once away from the origin, headers do not come back either. */
  call->foreign = call->foreign || !ba_url_same_origin(call->request->url, target);
  ba_flow_proves(call);
  return true;
}

void ba_redirect_forget(struct ba_call *call)
{
  if(!call->url)
    return;
  ba_free(call->url);
  call->url = NULL;
  call->redirects = 0;
  call->foreign = false;
  ba_flow_proves(call);
}

bool ba_redirect_to_login(struct ba_call *call)
{
  static const char *const words[] = {"login", "signin", "sign-in", "auth", "sso"};
  const char *location = ba_head_get(&call->head, "location");
  if(!location || !is_redirect(call->head.status))
    return false;
  char *target = ba_url_resolve(ba_call_url(call), location);
  bool login = false;
  if(target && !ba_url_same_origin(ba_call_url(call), target)) {
    target[strcspn(target, "?")] = '\0';
    for(size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
      login = login || strcasestr(target, words[i]) != NULL;
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
