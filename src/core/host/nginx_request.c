/* See nginx_request.h. */
#include "batchapi/nginx_request.h"

#include "system/system.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BUCKETS 1024

/* One for each request that has bound a call; it lies in the request's pool. */
struct watch {
  void *request;
  struct ba_bound *first;
  struct watch *next, **link;
};

/* nginx's: a function that is called with `data` when the request is freed. */
struct cleanup {
  void (*handler)(void *data);
  void *data;
  struct cleanup *next;
};

typedef struct cleanup *(*cleanup_add)(void *request, size_t size);

static struct watch *buckets[BUCKETS]; /* by request */

static struct watch **bucket_of(const void *request)
{
  return &buckets[((uintptr_t)request * 0x9E3779B97F4A7C15u >> 20) % BUCKETS];
}

static void on_end(void *data)
{
  struct watch *watch = data;
  *watch->link = watch->next;
  if(watch->next)
    watch->next->link = watch->link;
  while(watch->first) {
    struct ba_bound *bound = watch->first;
    ba_unbind(bound);
    bound->cancel(bound->call);
  }
}

static struct watch *find(const void *request)
{
  struct watch *watch = *bucket_of(request);
  while(watch && watch->request != request)
    watch = watch->next;
  return watch;
}

static cleanup_add find_cleanup_add(void)
{
  static cleanup_add found;
  static bool looked;
  if(!looked) {
    void *symbol = ba_program_symbol("ngx_http_cleanup_add");
    memcpy(&found, &symbol, sizeof(found));
    looked = true;
  }
  return found;
}

static struct watch *watch_of(void *request)
{
  struct watch *watch = find(request);
  cleanup_add add = find_cleanup_add();
  if(watch || !add)
    return watch;
  struct cleanup *cleanup = add(request, sizeof(*watch));
  if(!cleanup)
    return NULL;
  watch = cleanup->data;
  struct watch **bucket = bucket_of(request);
  *watch = (struct watch){.request = request, .next = *bucket, .link = bucket};
  if(*bucket)
    (*bucket)->link = &watch->next;
  *bucket = watch;
  cleanup->handler = on_end;
  return watch;
}

bool ba_bind(struct ba_bound *bound, void (*cancel)(void *call), void *call, void *request)
{
  if(bound->request == request && bound->call == call)
    return true;
  ba_unbind(bound);
  struct watch *watch = request ? watch_of(request) : NULL;
  if(!watch)
    return false;
  *bound = (struct ba_bound){cancel, call, request, watch->first, &watch->first};
  if(watch->first)
    watch->first->link = &bound->next;
  watch->first = bound;
  return true;
}

void ba_unbind(struct ba_bound *bound)
{
  if(!bound->request)
    return;
  *bound->link = bound->next;
  if(bound->next)
    bound->next->link = bound->link;
  bound->request = NULL;
}
