#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ba_mailbox *all;

struct ba_mailbox *ba_mailbox_new(struct ba_error *err)
{
  struct ba_mailbox *mailbox = ba_calloc(1, sizeof(*mailbox));
  if(!mailbox) {
    ba_error_nomem(err);
    return NULL;
  }
  mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if(mailbox->fd < 0) {
    ba_error_errno(err, errno, "no descriptor for a mailbox");
    ba_free(mailbox);
    return NULL;
  }
  mailbox->references = 1;
  mailbox->announce = -1;
  ba_lock();
  mailbox->next = all;
  if(all)
    all->previous = mailbox;
  all = mailbox;
  ba_unlock();
  return mailbox;
}

void ba_mailbox_retain_locked(struct ba_mailbox *mailbox)
{
  mailbox->references++;
}

void ba_mailbox_release_locked(struct ba_mailbox *mailbox)
{
  if(--mailbox->references == 0)
    ba_free(mailbox);
}

void ba_mailbox_retain(struct ba_mailbox *mailbox)
{
  ba_lock();
  ba_mailbox_retain_locked(mailbox);
  ba_unlock();
}

void ba_mailbox_release(struct ba_mailbox *mailbox)
{
  ba_lock();
  ba_mailbox_release_locked(mailbox);
  ba_unlock();
}

static bool has_report_locked(const struct ba_mailbox *mailbox)
{
  return mailbox->first || mailbox->first_notice;
}

static struct ba_notice *take_notice_locked(struct ba_mailbox *mailbox)
{
  struct ba_notice *notice = mailbox->first_notice;
  mailbox->first_notice = notice->next;
  notice->posted = false;
  return notice;
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

void ba_mailbox_delete(struct ba_mailbox *mailbox)
{
  if(!mailbox)
    return;
  struct ba_call *dead = NULL;
  ba_lock();
  mailbox->dead = true;
  unlink_locked(mailbox);
  while(mailbox->first) {
    struct ba_call *call = mailbox->first;
    mailbox->first = call->next_report;
    call->reported = false;
    ba_call_drop_locked(call, &dead);
  }
  while(mailbox->first_notice)
    take_notice_locked(mailbox);
  if(mailbox->fd >= 0)
    close(mailbox->fd);
  mailbox->fd = -1;
  bool last = all == NULL;
  ba_mailbox_release_locked(mailbox);
  ba_unlock();
  ba_call_free_list(dead);
  if(last)
    ba_engine_last_mailbox();
  else
    ba_engine_sweep();
}

/* Says, once until the next drain, that a report waits. */
static void signal_locked(struct ba_mailbox *mailbox)
{
  static const uint64_t one = 1;
  if(mailbox->signalled || mailbox->fd < 0)
    return;
  if(mailbox->announce >= 0) {
    mailbox->signalled = true;
    /* A host's socket that is full will wake it up anyhow; one that is gone
     * has nobody to be woken. */
    if(mailbox->socket)
      send(mailbox->announce, &one, sizeof(one), MSG_NOSIGNAL);
    else
      eventfd_write(mailbox->announce, one);
  }
  if(mailbox->waiting || (mailbox->polled && mailbox->announce < 0)) {
    mailbox->signalled = true;
    mailbox->raised = true;
    eventfd_write(mailbox->fd, one);
  }
}

static void quiet_locked(struct ba_mailbox *mailbox)
{
  eventfd_t value;
  if(mailbox->raised && mailbox->fd >= 0)
    eventfd_read(mailbox->fd, &value);
  mailbox->signalled = mailbox->raised = false;
}

void ba_mailbox_announce(struct ba_mailbox *mailbox, int fd)
{
  struct stat info;
  bool socket = fd >= 0 && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
  ba_lock();
  quiet_locked(mailbox);
  mailbox->announce = fd;
  mailbox->socket = socket;
  if(has_report_locked(mailbox))
    signal_locked(mailbox);
  ba_unlock();
}

int ba_mailbox_fd(const struct ba_mailbox *mailbox)
{
  struct ba_mailbox *writable = (struct ba_mailbox *)mailbox;
  ba_lock();
  writable->polled = true;
  if(has_report_locked(writable))
    signal_locked(writable);
  int fd = writable->fd;
  ba_unlock();
  return fd;
}

void ba_mailbox_report_locked(struct ba_mailbox *mailbox, struct ba_call *call)
{
  if(mailbox->dead)
    return;
  if(!call->reported) {
    call->reported = true;
    call->references++;
    call->next_report = NULL;
    if(mailbox->first)
      mailbox->last->next_report = call;
    else
      mailbox->first = call;
    mailbox->last = call;
  }
  signal_locked(mailbox);
}

void ba_mailbox_post(struct ba_mailbox *mailbox, struct ba_notice *notice)
{
  ba_lock();
  if(!mailbox->dead && !notice->posted) {
    notice->posted = true;
    notice->next = NULL;
    if(mailbox->first_notice)
      mailbox->last_notice->next = notice;
    else
      mailbox->first_notice = notice;
    mailbox->last_notice = notice;
    signal_locked(mailbox);
  }
  ba_unlock();
}

void ba_mailbox_withdraw(struct ba_mailbox *mailbox, struct ba_notice *notice)
{
  ba_lock();
  struct ba_notice *before = NULL, *at = notice->posted ? mailbox->first_notice : NULL;
  while(at && at != notice) {
    before = at;
    at = at->next;
  }
  if(at) {
    if(before)
      before->next = at->next;
    else
      mailbox->first_notice = at->next;
    if(mailbox->last_notice == at)
      mailbox->last_notice = before;
    at->posted = false;
    /* A descriptor that stays raised for nothing wakes its host for ever. */
    if(!has_report_locked(mailbox))
      quiet_locked(mailbox);
  }
  ba_unlock();
}

bool ba_mailbox_wait(struct ba_mailbox *mailbox, double seconds)
{
  double until = ba_now() + seconds;
  ba_lock();
  bool ready = has_report_locked(mailbox);
  mailbox->waiting = !ready;
  int fd = mailbox->fd;
  ba_unlock();
  if(ready || fd < 0)
    return ready;
  for(;;) {
    double left = until - ba_now();
    struct timespec limit = {0};
    if(left > 0) {
      left = left < 86400 ? left : 86400;
      limit.tv_sec = (time_t)left;
      limit.tv_nsec = (long)((left - (double)limit.tv_sec) * 1e9);
    }
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int count = ppoll(&poll_fd, 1, &limit, NULL);
    ba_lock();
    ready = has_report_locked(mailbox);
    bool over = ready || count < 0 || ba_now() >= until;
    if(over)
      mailbox->waiting = false;
    ba_unlock();
    if(over)
      return ready;
  }
}

size_t ba_mailbox_drain(struct ba_mailbox *mailbox, uint64_t *ids, size_t capacity)
{
  size_t count = 0;
  struct ba_call *dead = NULL;
  ba_lock();
  while(count < capacity && mailbox->first) {
    struct ba_call *call = mailbox->first;
    mailbox->first = call->next_report;
    call->reported = false;
    if(call->owned)
      ids[count++] = call->id;
    ba_call_drop_locked(call, &dead);
  }
  while(count < capacity && mailbox->first_notice)
    ids[count++] = take_notice_locked(mailbox)->id;
  if(!has_report_locked(mailbox))
    quiet_locked(mailbox);
  ba_unlock();
  ba_call_free_list(dead);
  return count;
}

bool ba_mailboxes_any_locked(void)
{
  return all != NULL;
}

/* The child shares the parent's eventfd: it would steal the parent's wake-ups. */
void ba_mailboxes_after_fork(void)
{
  for(struct ba_mailbox *mailbox = all; mailbox; mailbox = mailbox->next) {
    if(mailbox->fd >= 0)
      close(mailbox->fd);
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mailbox->announce = -1;
    mailbox->signalled = mailbox->raised = false;
    mailbox->waiting = false;
    if(has_report_locked(mailbox))
      signal_locked(mailbox);
  }
}
