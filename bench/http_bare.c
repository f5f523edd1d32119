/* The floor that bench/http measures against: POSTs on libcurl's multi
 * interface with kept connections, reused easy handles and fixed bytes, without
 * JSON, retries, limits or any other service.
 *
 *   http_bare URL COUNT IN_FLIGHT [CA_FILE] < BODY
 *
 * Exits 1 when an answer is not 200 or is empty. */
#include <curl/curl.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 65536, ANSWER_MAX = 65536, IN_FLIGHT_MAX = 4096 };

struct slot {
  CURL *easy;
  size_t length;
  char answer[ANSWER_MAX];
};

static char body[BODY_MAX];
static size_t body_length;

static size_t keep(char *bytes, size_t size, size_t count, void *user)
{
  struct slot *slot = user;
  size_t length = size * count;
  if(length > sizeof(slot->answer) - slot->length)
    return 0;
  memcpy(slot->answer + slot->length, bytes, length);
  slot->length += length;
  return length;
}

static struct slot *slot_new(const char *url, const char *ca_file, struct curl_slist *headers)
{
  struct slot *slot = calloc(1, sizeof(*slot));
  if(!slot || !(slot->easy = curl_easy_init()))
    exit(1);
  curl_easy_setopt(slot->easy, CURLOPT_URL, url);
  curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(slot->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_length);
  curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
  curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
  if(ca_file) {
    curl_easy_setopt(slot->easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(slot->easy, CURLOPT_CAPATH, NULL);
  }
  return slot;
}

static void check(CURLMsg *message, struct slot *slot)
{
  long status = 0;
  curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
  if(message->data.result != CURLE_OK || status != 200 || slot->length == 0) {
    fprintf(stderr, "http_bare: %s, status %ld\n", curl_easy_strerror(message->data.result),
            status);
    exit(1);
  }
}

/* Takes what has ended and starts as many again, until `count` were started. */
static void collect(CURLM *multi, long count, long *started, long *finished)
{
  CURLMsg *message;
  int left = 0;
  while((message = curl_multi_info_read(multi, &left))) {
    struct slot *slot = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
    check(message, slot);
    ++*finished;
    curl_multi_remove_handle(multi, slot->easy);
    if(*started < count) {
      slot->length = 0;
      ++*started;
      curl_multi_add_handle(multi, slot->easy);
    }
  }
}

int main(int argc, char **argv)
{
  if(argc < 4) {
    fprintf(stderr, "usage: http_bare URL COUNT IN_FLIGHT [CA_FILE] < BODY\n");
    return 2;
  }
  long count = atol(argv[2]), in_flight = atol(argv[3]), started = 0, finished = 0;
  static struct slot *slots[IN_FLIGHT_MAX];
  if(count < 1 || in_flight < 1 || in_flight > IN_FLIGHT_MAX)
    return 2;
  body_length = fread(body, 1, sizeof(body), stdin);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers =
      curl_slist_append(headers, "Authorization: Bearer sk-bench-0000000000000000000000000000");
  headers = curl_slist_append(headers, "User-Agent: http_bare");
  CURLM *multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
  for(; started < in_flight && started < count; started++) {
    slots[started] = slot_new(argv[1], argc > 4 ? argv[4] : NULL, headers);
    curl_multi_add_handle(multi, slots[started]->easy);
  }
  while(finished < count) {
    int running = 0;
    curl_multi_perform(multi, &running);
    collect(multi, count, &started, &finished);
    if(finished < count)
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for(long i = 0; i < in_flight && slots[i]; i++) {
    curl_multi_remove_handle(multi, slots[i]->easy);
    curl_easy_cleanup(slots[i]->easy);
    free(slots[i]);
  }
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return 0;
}
