/* libcurl's multi driven by its sockets' events: with a thousand calls parked,
 * curl_multi_poll() looks at each of them on every turn, epoll looks at none. */
#include "wire/loop.h"

#include "batchapi/clock.h"
#include "system/poller.h"
#include "system/wake.h"
#include "wire/multi.h"
#include "wire/sockets.h"
#include "wire/watchdog.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* I/O, once the thread that begins it has opened it. */
static struct {
  struct ba_wake wake;
  CURLM *multi;
  CURLSH *shares[BA_VERSIONS]; /* NULL: nobody has asked for it yet */
  double curl_timer;           /* < 0: none */
} loop = {.wake = BA_NO_WAKE, .curl_timer = -1};

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
  loop.curl_timer = milliseconds < 0 ? -1 : ba_now() + (double)milliseconds / 1000;
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
    pools += loop.shares[version] != NULL;
  curl_multi_setopt(loop.multi, CURLMOPT_MAXCONNECTS, most / pools);
}

/* To libcurl the version is a wish: whoever calls at a host gets a connection
 * that is kept there, whatever it speaks. So who asks for a version has a pool
 * of connections shared with those who ask for the same only; all others have
 * the multi's. TLS sessions would live and die with each easy handle. One
 * thread only: no lock functions. */
CURLSH *ba_multi_share(enum ba_version version)
{
  CURLSH *share = loop.shares[version];
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
  loop.shares[version] = share;
  limit_pools();
  return share;
}

static bool open_curl(void)
{
  loop.multi = curl_multi_init();
  if(!loop.multi)
    return false;
  curl_multi_setopt(loop.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(loop.multi, CURLMOPT_TIMERFUNCTION, on_timer);
  return ba_multi_share(BA_VERSION_ANY) != NULL;
}

bool ba_loop_open(struct ba_error *err)
{
  loop.curl_timer = -1;
  int failure = ba_wake_open(&loop.wake);
  if(!failure)
    failure = ba_poller_open();
  if(!failure)
    failure = ba_poller_add(loop.wake.fd, BA_POLL_READ);
  if(failure) {
    ba_error_errno(err, failure, "no descriptor for the I/O thread");
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
  if(loop.multi)
    curl_multi_cleanup(loop.multi);
  loop.multi = NULL;
  for(int version = 0; version < BA_VERSIONS; version++) {
    if(loop.shares[version])
      curl_share_cleanup(loop.shares[version]);
    loop.shares[version] = NULL;
  }
  ba_poller_close();
  ba_wake_close(&loop.wake);
}

void ba_loop_in_child(void)
{
  ba_poller_close();
  ba_wake_close(&loop.wake);
  memset(&loop, 0, sizeof(loop)); /* what it knew of libcurl is left alone */
  loop.wake = (struct ba_wake)BA_NO_WAKE;
  loop.curl_timer = -1;
  ba_sockets_in_child();
}

int ba_loop_bell(void)
{
  return loop.wake.bell;
}

CURLM *ba_multi(void)
{
  return loop.multi;
}

int ba_loop_sleep(double seconds)
{
  if(loop.curl_timer >= 0) {
    double left = loop.curl_timer - ba_now();
    if(left < seconds)
      seconds = left > 0 ? left : 0;
  }
  return ba_poller_wait(seconds);
}

static int act(int fd, unsigned happened)
{
  int running = 0, what = 0;
  if(happened & BA_POLL_READ)
    what |= CURL_CSELECT_IN;
  if(happened & BA_POLL_WRITE)
    what |= CURL_CSELECT_OUT;
  if(happened & BA_POLL_FAILED)
    what |= CURL_CSELECT_ERR;
  ba_watchdog_step(fd);
  curl_multi_socket_action(loop.multi, fd, what, &running);
  return running;
}

int ba_multi_poke(int fd)
{
  return act(fd, BA_POLL_READ);
}

int ba_loop_work(int from, int ready)
{
  static const double LONG = 0.05;
  double began = ba_now();
  int running;
  for(int i = from; i < ready; i++) {
    unsigned happened;
    int fd = ba_poller_ready(i, &happened);
    if(fd == loop.wake.fd) {
      ba_wake_quiet(&loop.wake);
    } else if(!ba_sockets_idle(fd)) {
      act(fd, happened);
      if(i + 1 < ready && ba_now() - began >= LONG)
        return i + 1;
    }
  }
  if(loop.curl_timer >= 0 && loop.curl_timer <= ba_now()) {
    loop.curl_timer = -1;
    ba_watchdog_step(-1);
    curl_multi_socket_action(loop.multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  return ready;
}

void ba_loop_deliver(void (*ended)(void *handle, int code))
{
  CURLMsg *message;
  int left;
  ba_watchdog_step(-1);
  while((message = curl_multi_info_read(loop.multi, &left)) != NULL) {
    if(message->msg != CURLMSG_DONE)
      continue;
    CURLcode code = message->data.result;
    void *handle = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&handle);
    ended(handle, (int)code);
  }
}
