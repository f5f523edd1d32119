#include "batchapi/process.h"

#include "base/vault.h"
#include "batchapi/libcurl.h"
#include "batchapi/version.h"
#include "crypto/tls.h"
#include "disk/work_thread.h"
#include "engine/client_state.h"
#include "engine/engine.h"
#include "engine/exchange.h"
#include "engine/queue.h"
#include "engine/token.h"
#include "host/mailboxes.h"
#include "wire/loop.h"
#include "wire/stream.h"
#include "wire/transfer.h"
#include "wire/watchdog.h"

#include <pthread.h>
#include <stdlib.h>

/* All that there is of the process itself; what the rooms keep of their own
 * stands in parts below, if fork touches it. */
static struct ba_process {
  pthread_mutex_t lock; /* guards the next */
  bool loaded;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Everything that fork must find whole, or that a child must mend. Before fork
 * the last is asked first, so that locks are taken in the order in which the
 * core takes them; afterwards the first. */
static const struct {
  void (*before)(void), (*after)(void), (*in_child)(void);
} parts[] = {
    {ba_vault_before_fork, ba_vault_after_fork, ba_vault_after_fork},
    {ba_mailboxes_before_fork, ba_mailboxes_after_fork, ba_mailboxes_in_child},
    {ba_streams_before_fork, ba_streams_after_fork, ba_streams_in_child},
    {NULL, NULL, ba_clients_in_child},
    {NULL, NULL, ba_transfers_in_child},
    {NULL, NULL, ba_loop_in_child},
    {NULL, NULL, ba_watchdog_in_child},
    {NULL, NULL, ba_tokens_in_child},
    {ba_engine_before_fork, ba_engine_after_fork, ba_engine_in_child},
    {ba_work_before_fork, ba_work_after_fork, ba_work_in_child},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void before_fork(void)
{
  for(int i = PARTS - 1; i >= 0; i--) {
    if(parts[i].before)
      parts[i].before();
  }
}

static void after_fork(void)
{
  for(int i = 0; i < PARTS; i++) {
    if(parts[i].after)
      parts[i].after();
  }
}

static void in_child(void)
{
  for(int i = 0; i < PARTS; i++) {
    if(parts[i].in_child)
      parts[i].in_child();
  }
}

static void mailbox_deleted(bool last)
{
  if(last)
    ba_engine_stop(false);
  else
    ba_queue_sweep();
}

static void at_exit(void)
{
  ba_engine_stop(true);
}

static bool load(struct ba_error *err)
{
  ba_vault_open();
  if(!ba_curl_start(ba_tls_versions().running, err))
    return false;
  ba_tls_start(); /* registers its exit handler: ours runs before it */
  ba_mailboxes_on_delete(mailbox_deleted);
  ba_exchanges_begin();
  pthread_atfork(before_fork, after_fork, in_child);
  atexit(at_exit);
  return true;
}

bool ba_engine_load(struct ba_error *err)
{
  pthread_mutex_lock(&process.lock);
  process.loaded = process.loaded || load(err);
  bool loaded = process.loaded;
  pthread_mutex_unlock(&process.lock);
  return loaded;
}
