/* See nginx.h. */
#include "batchapi/nginx.h"

#include "batchapi/alloc.h"
#include "system/system.h"
#include "system/wake.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif
#include <unistd.h>

/* ---- a map from call ids to semaphores ----------------------------------- */

struct entry { /* id 0: free (ids count from 1) */
  uint64_t id;
  void *semaphore;
  bool tell;
};

/* Open addressing; the number of slots is a power of two, at most half full. */
struct map {
  struct entry *slots;
  size_t size, used;
};

struct ids {
  uint64_t *list;
  size_t count, size;
};

struct ba_parking {
  unsigned references;
  struct ba_mailbox *mailbox; /* NULL: closed */
  struct map map;
  struct ids told; /* has room for every entry that may tell */
  int (*post)(void *semaphore, int count);
  struct ba_parking *next;
};

static size_t home(const struct map *map, uint64_t id)
{
  return (size_t)(id * 0x9E3779B97F4A7C15u >> 20) & (map->size - 1);
}

static struct entry *find(const struct map *map, uint64_t id)
{
  size_t at = home(map, id);
  while(map->slots[at].id && map->slots[at].id != id)
    at = (at + 1) & (map->size - 1);
  return &map->slots[at];
}

static bool map_grow(struct map *map)
{
  struct map wider = {.size = map->size ? map->size * 2 : 64, .used = map->used};
  wider.slots = ba_calloc(wider.size, sizeof(*wider.slots));
  if(!wider.slots)
    return false;
  for(size_t i = 0; i < map->size; i++) {
    if(map->slots[i].id)
      *find(&wider, map->slots[i].id) = map->slots[i];
  }
  ba_free(map->slots);
  *map = wider;
  return true;
}

/* Frees a slot and moves back those behind it that it had pushed away. */
static void map_remove(struct map *map, struct entry *entry)
{
  size_t hole = (size_t)(entry - map->slots);
  size_t mask = map->size - 1;
  for(size_t at = (hole + 1) & mask; map->slots[at].id; at = (at + 1) & mask) {
    size_t from_home = (at - home(map, map->slots[at].id)) & mask;
    if(from_home >= ((at - hole) & mask)) {
      map->slots[hole] = map->slots[at];
      hole = at;
    }
  }
  memset(&map->slots[hole], 0, sizeof(map->slots[hole]));
  map->used--;
}

static bool ids_reserve(struct ids *ids, size_t size)
{
  if(size <= ids->size)
    return true;
  uint64_t *list = ba_realloc(ids->list, size * sizeof(*list));
  if(!list)
    return false;
  ids->list = list;
  ids->size = size;
  return true;
}

bool ba_parking_put(struct ba_parking *parking, uint64_t id, void *semaphore, bool tell,
                    struct ba_error *err)
{
  struct map *map = &parking->map;
  if((map->used + 1) * 2 > map->size && !map_grow(map))
    return ba_error_nomem(err);
  /* Posting must not fail for want of memory: room is made here. */
  if(tell && !ids_reserve(&parking->told, parking->told.count + map->used + 1))
    return ba_error_nomem(err);
  struct entry *entry = find(map, id);
  map->used += entry->id == 0;
  *entry = (struct entry){.id = id, .semaphore = semaphore, .tell = tell};
  return true;
}

void ba_parking_take(struct ba_parking *parking, uint64_t id)
{
  struct entry *entry = parking->map.used ? find(&parking->map, id) : NULL;
  if(entry && entry->id)
    map_remove(&parking->map, entry);
}

size_t ba_parking_told(struct ba_parking *parking, uint64_t *ids, size_t capacity)
{
  struct ids *told = &parking->told;
  size_t count = told->count < capacity ? told->count : capacity;
  if(!count)
    return 0;
  memcpy(ids, told->list, count * sizeof(*ids));
  told->count -= count;
  memmove(told->list, told->list + count, told->count * sizeof(*ids));
  return count;
}

/* ---- posting ------------------------------------------------------------- */

static void post(struct ba_parking *parking, uint64_t id)
{
  struct entry *entry = parking->map.used ? find(&parking->map, id) : NULL;
  if(!entry || !entry->id)
    return; /* nobody waits for it; who begins to has looked at its news, or has just made it */
  void *semaphore = entry->semaphore;
  if(entry->tell && parking->told.count < parking->told.size)
    parking->told.list[parking->told.count++] = id;
  map_remove(&parking->map, entry);
  parking->post(semaphore, 1);
}

void ba_parking_post(struct ba_parking *parking)
{
  uint64_t ids[64];
  size_t count;
  do {
    count = ba_mailbox_drain(parking->mailbox, ids, 64);
    for(size_t i = 0; i < count; i++)
      post(parking, ids[i]);
  } while(count == 64);
}

/* ---- nginx's event loop -------------------------------------------------- */

/* Of the process: registered once, never taken out again. A worker that was
 * forked from a process that had one makes its own. */
static struct {
  pid_t pid;
  struct ba_wake wake;
  bool proven;
  struct ba_parking *parkings;
} hook;

typedef intptr_t (*add_channel_event)(void *cycle, int fd, intptr_t event, void (*handler)(void *));

static void on_wakeup(void *event)
{
  (void)event;
  ba_wake_quiet(&hook.wake);
  hook.proven = true;
  for(struct ba_parking *parking = hook.parkings; parking; parking = parking->next)
    ba_parking_post(parking);
}

static bool find_symbol(const char *name, void **symbol, struct ba_error *err)
{
  *symbol = ba_program_symbol(name);
  return *symbol || ba_error_set(err, BA_INVALID, "", "not inside an nginx that exports %s", name);
}

/* What nginx's own constant NGX_READ_EVENT is, where its loop is epoll's. */
#ifdef __linux__
static const intptr_t READ_EVENT = EPOLLIN | EPOLLRDHUP;
#else
static const intptr_t READ_EVENT = -1;
#endif

/* Gives nginx the descriptor, once per process. */
static bool hook_install(struct ba_error *err)
{
  void *symbol = NULL, *cycle = NULL;
  add_channel_event add;
  if(hook.pid == getpid())
    return true;
  if(!find_symbol("ngx_add_channel_event", &symbol, err) || !find_symbol("ngx_cycle", &cycle, err))
    return false;
  memcpy(&add, &symbol, sizeof(add));
  if(READ_EVENT < 0)
    return ba_error_set(err, BA_INVALID, "", "nginx's loop is not known on this system");
  struct ba_wake wake;
  int failure = ba_wake_open(&wake);
  if(failure)
    return ba_error_errno(err, failure, "no descriptor for nginx's loop");
  ba_wake_ring(wake.bell); /* the proof of ba_parking_proven() */
  void *current = *(void **)cycle;
  if(!current || add(current, wake.fd, READ_EVENT, on_wakeup) != 0) {
    ba_wake_close(&wake);
    return ba_error_set(err, BA_INVALID, "", "nginx did not take the descriptor");
  }
  hook.pid = getpid();
  hook.wake = wake;
  hook.proven = false;
  hook.parkings = NULL;
  return true;
}

bool ba_parking_proven(const struct ba_parking *parking)
{
  (void)parking;
  return hook.proven;
}

struct ba_parking *ba_parking_new(struct ba_mailbox *mailbox, bool stream, struct ba_error *err)
{
  void *symbol = NULL;
  const char *name = stream ? "ngx_stream_lua_ffi_sema_post" : "ngx_http_lua_ffi_sema_post";
  struct ba_parking *parking = NULL;
  if(!find_symbol(name, &symbol, err) || !hook_install(err))
    return NULL;
  parking = ba_calloc(1, sizeof(*parking));
  if(!parking || !map_grow(&parking->map)) {
    ba_free(parking);
    ba_error_nomem(err);
    return NULL;
  }
  memcpy(&parking->post, &symbol, sizeof(parking->post));
  parking->references = 1;
  parking->mailbox = mailbox;
  parking->next = hook.parkings;
  hook.parkings = parking;
  ba_mailbox_announce(mailbox, hook.wake.bell);
  return parking;
}

void ba_parking_close(struct ba_parking *parking)
{
  struct ba_parking **link = &hook.parkings;
  if(!parking)
    return;
  while(*link && *link != parking)
    link = &(*link)->next;
  if(*link)
    *link = parking->next;
  ba_mailbox_announce(parking->mailbox, -1);
  parking->mailbox = NULL;
  ba_parking_release(parking);
}

struct ba_parking *ba_parking_retain(struct ba_parking *parking)
{
  parking->references++;
  return parking;
}

void ba_parking_release(struct ba_parking *parking)
{
  if(!parking || --parking->references)
    return;
  ba_free(parking->map.slots);
  ba_free(parking->told.list);
  ba_free(parking);
}
