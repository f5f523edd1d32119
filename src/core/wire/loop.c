/* libcurl's multi driven by epoll: with a thousand calls parked,
 * curl_multi_poll() looks at each of them on every turn, this looks at none. */
#include "wire/internal.h"

#include "batchapi/clock.h"
#include "wire/watchdog.h"

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

/* Idle connections are kept, up to half of the descriptors we may have; each
 * pool of them has an equal part of that. */
static void limit_pools(void)
{
  struct rlimit limit;
  long most = 4096, pools = 1;
  if(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < (rlim_t)most)
    most = (long)(limit.rlim_cur / 2);
  for(int version = BA_VERSION_ANY + 1; version < BA_VERSIONS; version++)
    pools += ba_engine.shares[version] != NULL;
  curl_multi_setopt(ba_engine.multi, CURLMOPT_MAXCONNECTS, most / pools);
}

/* To libcurl the version is a wish: whoever calls at a host gets a connection
 * that is kept there, whatever it speaks. So who asks for a version has a pool
 * of connections shared with those who ask for the same only; all others have
 * the multi's. TLS sessions would live and die with each easy handle. One
 * thread only: no lock functions. */
CURLSH *ba_loop_share(enum ba_version version)
{
  CURLSH *share = ba_engine.shares[version];
  if(share)
    return share;
  share = curl_share_init();
  if(!share)
    return NULL;
  if(curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK ||
     (version != BA_VERSION_ANY &&
      curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK)) {
    curl_share_cleanup(share);
    return NULL;
  }
  ba_engine.shares[version] = share;
  limit_pools();
  return share;
}

static bool open_curl(void)
{
  ba_engine.multi = curl_multi_init();
  if(!ba_engine.multi)
    return false;
  curl_multi_setopt(ba_engine.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(ba_engine.multi, CURLMOPT_TIMERFUNCTION, on_timer);
  return ba_loop_share(BA_VERSION_ANY) != NULL;
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
  ba_engine.multi = NULL;
  for(int version = 0; version < BA_VERSIONS; version++) {
    if(ba_engine.shares[version])
      curl_share_cleanup(ba_engine.shares[version]);
    ba_engine.shares[version] = NULL;
  }
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

static int act(int fd, unsigned happened)
{
  int running = 0, what = 0;
  if(happened & EPOLLIN)
    what |= CURL_CSELECT_IN;
  if(happened & EPOLLOUT)
    what |= CURL_CSELECT_OUT;
  if(happened & (EPOLLERR | EPOLLHUP))
    what |= CURL_CSELECT_ERR;
  ba_watchdog_step(fd);
  curl_multi_socket_action(ba_engine.multi, fd, what, &running);
  return running;
}

int ba_loop_poke(int fd)
{
  return act(fd, EPOLLIN);
}

/* Many sockets that cost much each must not hold up the deadlines of all. */
static void look_at_clock(void)
{
  static const double LONG = 0.05;
  double now = ba_now();
  if(now - ba_engine.now < LONG)
    return;
  ba_watchdog_step(-1);
  ba_engine.now = now;
  completed();
  ba_timers_run(&ba_engine.timers, now);
}

void ba_loop_work(int ready)
{
  int running;
  for(int i = 0; i < ready; i++) {
    int fd = events[i].data.fd;
    if(fd == ba_engine.wake) {
      eventfd_t value;
      eventfd_read(fd, &value);
    } else if(!ba_sockets_idle(fd)) {
      act(fd, events[i].events);
      look_at_clock();
    }
  }
  if(ba_engine.curl_timer >= 0 && ba_engine.curl_timer <= ba_now()) {
    ba_engine.curl_timer = -1;
    ba_watchdog_step(-1);
    curl_multi_socket_action(ba_engine.multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  ba_watchdog_step(-1);
  completed();
}
