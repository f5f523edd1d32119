/* libcurl's multi driven by epoll: with a thousand calls parked,
 * curl_multi_poll() looks at each of them on every turn, this looks at none. */
#include "internal.h"

#include "clock.h"

#include <errno.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 128 };

static struct epoll_event events[EVENTS];

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
  (void)easy;
  (void)user;
  (void)known;
  return ba_sockets_watch(fd, what);
}

static int on_timer(CURLM *multi, long milliseconds, void *user)
{
  (void)multi;
  (void)user;
  ba_engine.curl_timer = milliseconds < 0 ? -1 : ba_now() + (double)milliseconds / 1000;
  return 0;
}

/* Idle connections are kept, up to half of the descriptors we may have. */
static long connection_cache(void)
{
  struct rlimit limit;
  long most = 4096;
  if(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < (rlim_t)most)
    most = (long)(limit.rlim_cur / 2);
  return most;
}

static bool open_curl(void)
{
  ba_engine.multi = curl_multi_init();
  ba_engine.share = curl_share_init();
  if(!ba_engine.multi || !ba_engine.share)
    return false;
  /* TLS sessions would live and die with each easy handle. One thread only:
   * no lock functions. */
  curl_share_setopt(ba_engine.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(ba_engine.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(ba_engine.multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(ba_engine.multi, CURLMOPT_MAXCONNECTS, connection_cache());
  return true;
}

bool ba_loop_open(struct ba_error *err)
{
  ba_engine.curl_timer = -1;
  ba_engine.epoll = epoll_create1(EPOLL_CLOEXEC);
  ba_engine.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = ba_engine.wake};
  if(ba_engine.epoll < 0 || ba_engine.wake < 0 ||
     epoll_ctl(ba_engine.epoll, EPOLL_CTL_ADD, ba_engine.wake, &event) != 0) {
    ba_error_errno(err, errno, "no descriptor for the I/O thread");
    ba_loop_close();
    return false;
  }
  if(!open_curl()) {
    ba_loop_close();
    return ba_error_nomem(err);
  }
  return true;
}

void ba_loop_close(void)
{
  ba_handles_free();
  if(ba_engine.multi)
    curl_multi_cleanup(ba_engine.multi);
  if(ba_engine.share)
    curl_share_cleanup(ba_engine.share);
  ba_engine.multi = NULL;
  ba_engine.share = NULL;
  ba_timers_free(&ba_engine.timers);
  if(ba_engine.epoll >= 0)
    close(ba_engine.epoll);
  if(ba_engine.wake >= 0)
    close(ba_engine.wake);
  ba_engine.epoll = ba_engine.wake = -1;
}

void ba_loop_after_fork(void)
{
  if(ba_engine.epoll >= 0)
    close(ba_engine.epoll);
  if(ba_engine.wake >= 0)
    close(ba_engine.wake);
  ba_sockets_after_fork();
}

int ba_loop_sleep(double seconds)
{
  if(ba_engine.curl_timer >= 0) {
    double left = ba_engine.curl_timer - ba_now();
    if(left < seconds)
      seconds = left > 0 ? left : 0;
  }
  int count = epoll_wait(ba_engine.epoll, events, EVENTS, (int)ceil(seconds * 1000));
  return count > 0 ? count : 0;
}

static void completed(void)
{
  CURLMsg *message;
  int left;
  while((message = curl_multi_info_read(ba_engine.multi, &left)) != NULL) {
    if(message->msg != CURLMSG_DONE)
      continue;
    CURLcode code = message->data.result;
    struct ba_handle *handle = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&handle);
    ba_flow_completed(handle->call, code);
  }
}

void ba_loop_work(int ready)
{
  int running;
  for(int i = 0; i < ready; i++) {
    int fd = events[i].data.fd;
    if(fd == ba_engine.wake) {
      eventfd_t value;
      eventfd_read(fd, &value);
      continue;
    }
    if(ba_sockets_idle(fd))
      continue;
    int what = 0;
    if(events[i].events & EPOLLIN)
      what |= CURL_CSELECT_IN;
    if(events[i].events & EPOLLOUT)
      what |= CURL_CSELECT_OUT;
    if(events[i].events & (EPOLLERR | EPOLLHUP))
      what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(ba_engine.multi, fd, what, &running);
  }
  if(ba_engine.curl_timer >= 0 && ba_engine.curl_timer <= ba_now()) {
    ba_engine.curl_timer = -1;
    curl_multi_socket_action(ba_engine.multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  completed();
}
