#include "host/mailboxes.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "system/wake.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct ba_mailbox { /* under the lock, but for the count */
  struct ba_wake wake;
  atomic_uint references;
  bool dead;      /* its owner has deleted it */
  bool polled;    /* someone has the descriptor: it must tell the truth */
  bool waiting;   /* ba_mailbox_wait() sleeps on it */
  int announce;   /* the host's descriptor that is written to instead; -1: none */
  bool socket;    /* that is a socket */
  bool signalled; /* it was said that a report waits */
  bool raised;    /* its descriptor is readable */
  struct ba_notice *first, *last;
  struct ba_mailbox *previous, *next; /* all of the process, for fork */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ba_mailbox *all; /* under the lock */
static void (*on_delete)(bool last);
static _Atomic uint64_t last_id;

uint64_t ba_new_id(void)
{
  return atomic_fetch_add(&last_id, 1) + 1;
}

struct ba_mailbox *ba_mailbox_new(struct ba_error *err)
{
  struct ba_mailbox *mailbox = ba_calloc(1, sizeof(*mailbox));
  if(!mailbox) {
    ba_error_nomem(err);
    return NULL;
  }
  int failure = ba_wake_open(&mailbox->wake);
  if(failure) {
    ba_error_errno(err, failure, "no descriptor for a mailbox");
    ba_free(mailbox);
    return NULL;
  }
  mailbox->references = 1;
  mailbox->announce = -1;
  pthread_mutex_lock(&lock);
  mailbox->next = all;
  if(all)
    all->previous = mailbox;
  all = mailbox;
  pthread_mutex_unlock(&lock);
  return mailbox;
}

void ba_mailbox_retain(struct ba_mailbox *mailbox)
{
  atomic_fetch_add(&mailbox->references, 1);
}

void ba_mailbox_release(struct ba_mailbox *mailbox)
{
  if(atomic_fetch_sub(&mailbox->references, 1) == 1)
    ba_free(mailbox);
}

static void unlink_locked(struct ba_mailbox *mailbox)
{
  if(mailbox->previous)
    mailbox->previous->next = mailbox->next;
  else
    all = mailbox->next;
  if(mailbox->next)
    mailbox->next->previous = mailbox->previous;
}

static void take_out_locked(struct ba_mailbox *mailbox, struct ba_notice *notice)
{
  if(notice->previous)
    notice->previous->next = notice->next;
  else
    mailbox->first = notice->next;
  if(notice->next)
    notice->next->previous = notice->previous;
  else
    mailbox->last = notice->previous;
  notice->posted = false;
}

void ba_mailbox_delete(struct ba_mailbox *mailbox)
{
  if(!mailbox)
    return;
  pthread_mutex_lock(&lock);
  mailbox->dead = true;
  unlink_locked(mailbox);
  while(mailbox->first)
    take_out_locked(mailbox, mailbox->first);
  ba_wake_close(&mailbox->wake);
  bool last = all == NULL;
  pthread_mutex_unlock(&lock);
  ba_mailbox_release(mailbox);
  if(on_delete)
    on_delete(last);
}

/* Says, once until the next drain, that a report waits. */
static void signal_locked(struct ba_mailbox *mailbox)
{
  static const uint64_t one = 1;
  if(mailbox->signalled || mailbox->wake.fd < 0)
    return;
  if(mailbox->announce >= 0) {
    mailbox->signalled = true;
    /* A host's socket that is full will wake it up anyhow; one that is gone
     * has nobody to be woken. */
    if(mailbox->socket)
      send(mailbox->announce, &one, sizeof(one), MSG_NOSIGNAL);
    else
      ba_wake_ring(mailbox->announce);
  }
  if(mailbox->waiting || (mailbox->polled && mailbox->announce < 0)) {
    mailbox->signalled = true;
    mailbox->raised = true;
    ba_wake_ring(mailbox->wake.bell);
  }
}

static void quiet_locked(struct ba_mailbox *mailbox)
{
  if(mailbox->raised && mailbox->wake.fd >= 0)
    ba_wake_quiet(&mailbox->wake);
  mailbox->signalled = mailbox->raised = false;
}

void ba_mailbox_announce(struct ba_mailbox *mailbox, int fd)
{
  struct stat info;
  bool socket = fd >= 0 && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
  pthread_mutex_lock(&lock);
  quiet_locked(mailbox);
  mailbox->announce = fd;
  mailbox->socket = socket;
  if(mailbox->first)
    signal_locked(mailbox);
  pthread_mutex_unlock(&lock);
}

int ba_mailbox_fd(const struct ba_mailbox *mailbox)
{
  struct ba_mailbox *writable = (struct ba_mailbox *)mailbox;
  pthread_mutex_lock(&lock);
  writable->polled = true;
  if(writable->first)
    signal_locked(writable);
  int fd = writable->wake.fd;
  pthread_mutex_unlock(&lock);
  return fd;
}

void ba_mailbox_post(struct ba_mailbox *mailbox, struct ba_notice *notice)
{
  pthread_mutex_lock(&lock);
  if(!mailbox->dead) {
    if(!notice->posted) {
      notice->posted = true;
      notice->next = NULL;
      notice->previous = mailbox->first ? mailbox->last : NULL;
      if(notice->previous)
        notice->previous->next = notice;
      else
        mailbox->first = notice;
      mailbox->last = notice;
    }
    signal_locked(mailbox);
  }
  pthread_mutex_unlock(&lock);
}

void ba_mailbox_withdraw(struct ba_mailbox *mailbox, struct ba_notice *notice)
{
  pthread_mutex_lock(&lock);
  if(notice->posted) {
    take_out_locked(mailbox, notice);
    /* A descriptor that stays raised for nothing wakes its host for ever. */
    if(!mailbox->first)
      quiet_locked(mailbox);
  }
  pthread_mutex_unlock(&lock);
}

bool ba_mailbox_wait(struct ba_mailbox *mailbox, double seconds)
{
  double until = ba_now() + seconds;
  pthread_mutex_lock(&lock);
  bool ready = mailbox->first != NULL;
  mailbox->waiting = !ready;
  int fd = mailbox->wake.fd;
  pthread_mutex_unlock(&lock);
  if(ready || fd < 0)
    return ready;
  for(;;) {
    double left = until - ba_now();
    left = left > 0 ? left : 0;
    left = left < 86400 ? left : 86400;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int count = poll(&poll_fd, 1, (int)ceil(left * 1000));
    pthread_mutex_lock(&lock);
    ready = mailbox->first != NULL;
    bool over = ready || count < 0 || ba_now() >= until;
    if(over)
      mailbox->waiting = false;
    pthread_mutex_unlock(&lock);
    if(over)
      return ready;
  }
}

size_t ba_mailbox_drain(struct ba_mailbox *mailbox, uint64_t *ids, size_t capacity)
{
  size_t count = 0;
  pthread_mutex_lock(&lock);
  while(count < capacity && mailbox->first) {
    ids[count++] = mailbox->first->id;
    take_out_locked(mailbox, mailbox->first);
  }
  if(!mailbox->first)
    quiet_locked(mailbox);
  pthread_mutex_unlock(&lock);
  return count;
}

/* ---- all of them --------------------------------------------------------- */

void ba_mailboxes_on_delete(void (*deleted)(bool last))
{
  on_delete = deleted;
}

bool ba_mailboxes_any(void)
{
  pthread_mutex_lock(&lock);
  bool any = all != NULL;
  pthread_mutex_unlock(&lock);
  return any;
}

bool ba_mailbox_is_deleted(struct ba_mailbox *mailbox)
{
  pthread_mutex_lock(&lock);
  bool deleted = mailbox->dead;
  pthread_mutex_unlock(&lock);
  return deleted;
}

void ba_mailboxes_before_fork(void)
{
  pthread_mutex_lock(&lock);
}

void ba_mailboxes_after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

/* The child shares the parent's descriptor: it would steal the parent's wake-ups. */
void ba_mailboxes_in_child(void)
{
  pthread_mutex_init(&lock, NULL);
  for(struct ba_mailbox *mailbox = all; mailbox; mailbox = mailbox->next) {
    ba_wake_close(&mailbox->wake);
    ba_wake_open(&mailbox->wake);
    mailbox->announce = -1;
    mailbox->signalled = mailbox->raised = false;
    mailbox->waiting = false;
    if(mailbox->first)
      signal_locked(mailbox);
  }
}
