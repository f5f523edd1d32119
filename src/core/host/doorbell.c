/* See doorbell.h. */
#include "batchapi/doorbell.h"

#include "batchapi/alloc.h"
#include "system/system.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct ba_doorbell {
  int listener, bell; /* -1: not open */
  struct sockaddr_un address;
  char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static const char *runtime_directory(void)
{
  static const char *const names[] = {"BATCHAPI_RUNTIME_DIR", "XDG_RUNTIME_DIR", "TMPDIR"};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    const char *value = getenv(names[i]);
    if(value && value[0] == '/')
      return value;
  }
  return "/tmp";
}

static void remove_path(struct ba_doorbell *doorbell)
{
  if(doorbell->address.sun_path[0])
    unlink(doorbell->address.sun_path);
  if(doorbell->directory[0])
    rmdir(doorbell->directory);
  doorbell->address.sun_path[0] = '\0';
  doorbell->directory[0] = '\0';
}

/* Who can rename our directory away can put one of his own in its place, and be
 * what the host connects to. */
static bool is_safe(const char *parent, struct ba_error *err)
{
  struct stat info;
  if(stat(parent, &info) != 0)
    return ba_error_errno(err, errno, parent);
  bool others = (info.st_mode & (S_IWGRP | S_IWOTH)) && !(info.st_mode & S_ISVTX);
  bool mine = info.st_uid == geteuid() || info.st_uid == 0;
  return (mine && !others) ||
         ba_error_set(err, BA_IO, "EPERM",
                      "%s: others may rename what lies in it, so no socket is made there "
                      "(BATCHAPI_RUNTIME_DIR names another place)",
                      parent);
}

static bool make_directory(struct ba_doorbell *doorbell, struct ba_error *err)
{
  const char *parent = runtime_directory();
  char *directory = doorbell->directory;
  size_t size = sizeof(doorbell->directory);
  int length = snprintf(directory, size, "%s/batchapi-XXXXXX", parent);
  /* "/bell" must fit behind it in the address */
  if(length < 0 || (size_t)length + 6 > size) {
    directory[0] = '\0';
    return ba_error_set(err, BA_IO, "ENAMETOOLONG", "%s is too long for a socket's path", parent);
  }
  if(!is_safe(parent, err)) {
    directory[0] = '\0';
    return false;
  }
  if(!mkdtemp(directory)) {
    int reason = errno;
    directory[0] = '\0';
    return ba_error_errno(err, reason, parent);
  }
  return true;
}

static bool listen_there(struct ba_doorbell *doorbell, struct ba_error *err)
{
  struct sockaddr_un *address = &doorbell->address;
  doorbell->listener = ba_socket(AF_UNIX, SOCK_STREAM, 0, false);
  if(doorbell->listener < 0)
    return ba_error_errno(err, errno, "socket");
  address->sun_family = AF_UNIX;
  size_t length = strlen(doorbell->directory);
  memcpy(address->sun_path, doorbell->directory, length);
  memcpy(address->sun_path + length, "/bell", 6);
  if(bind(doorbell->listener, (struct sockaddr *)address, sizeof(*address)) != 0 ||
     listen(doorbell->listener, 4) != 0)
    return ba_error_errno(err, errno, address->sun_path);
  return true;
}

struct ba_doorbell *ba_doorbell_new(struct ba_error *err)
{
  struct ba_doorbell *doorbell = ba_calloc(1, sizeof(*doorbell));
  if(!doorbell) {
    ba_error_nomem(err);
    return NULL;
  }
  doorbell->listener = doorbell->bell = -1;
  if(make_directory(doorbell, err) && listen_there(doorbell, err))
    return doorbell;
  ba_doorbell_delete(doorbell);
  return NULL;
}

const char *ba_doorbell_path(const struct ba_doorbell *doorbell)
{
  return doorbell->address.sun_path;
}

static void shut(int *fd)
{
  if(*fd >= 0)
    close(*fd);
  *fd = -1;
}

int ba_doorbell_accept(struct ba_doorbell *doorbell, struct ba_error *err)
{
  while(doorbell->bell < 0) {
    int fd = ba_socket_accept(doorbell->listener);
    if(fd < 0) {
      ba_error_errno(err, errno, "nobody has connected");
      return -1;
    }
    if(ba_socket_is_ours(fd))
      doorbell->bell = fd;
    else
      close(fd);
  }
  shut(&doorbell->listener);
  remove_path(doorbell);
  return doorbell->bell;
}

void ba_doorbell_ring(struct ba_doorbell *doorbell)
{
  static const uint64_t one = 1;
  if(doorbell->bell >= 0 && send(doorbell->bell, &one, sizeof(one), MSG_NOSIGNAL) < 0)
    return; /* full: the other end will wake up anyhow; gone: nobody is there to wake */
}

void ba_doorbell_delete(struct ba_doorbell *doorbell)
{
  if(!doorbell)
    return;
  shut(&doorbell->listener);
  shut(&doorbell->bell);
  remove_path(doorbell);
  ba_free(doorbell);
}
