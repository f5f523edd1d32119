/* URLs: any text after "http://". What is shown to people has no user
 * information and no value of a parameter called key; an origin is its own
 * origin; where a Location leads can be parsed again. */
#include "batchapi/alloc.h"
#include "http/url.h"

#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
  if(!ok)
    abort();
}

static void check_redaction(const char *url)
{
  char *shown = ba_url_redact(url);
  expect(shown != NULL);
  const char *authority = strstr(shown, "://");
  expect(authority != NULL);
  authority += 3;
  expect(!memchr(authority, '@', strcspn(authority, "/?#")));
  const char *query = strchr(shown, '?');
  const char *secret = query ? strstr(query, "key=") : NULL;
  if(secret && (secret == query + 1 || secret[-1] == '&'))
    expect(strncmp(secret, "key=***", 7) == 0);
  ba_free(shown);
}

static void check_resolution(const char *base, const char *location)
{
  char origin[512];
  char *target = ba_url_resolve(base, location);
  if(!target)
    return;
  CURLU *parsed = curl_url();
  expect(curl_url_set(parsed, CURLUPART_URL, target, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK);
  curl_url_cleanup(parsed);
  ba_url_origin(target, origin, sizeof(origin));
  expect(origin[0] != '?' || strlen(target) > 400);
  ba_free(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char text[400], url[420], origin[512];
  if(size >= sizeof(text))
    size = sizeof(text) - 1;
  memcpy(text, data, size);
  text[size] = '\0';
  snprintf(url, sizeof(url), "http://%s", text);
  check_redaction(url);
  ba_url_origin(url, origin, sizeof(origin));
  if(origin[0] != '?')
    expect(ba_url_same_origin(url, url));
  check_resolution("https://host.example/a/b?c=d", text);
  check_resolution(url, "../x");
  return 0;
}
