#include "auth/secret.h"

#include "batchapi/alloc.h"
#include "batchapi/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 4096 };

bool ba_secret_check(const char *bytes, size_t length, const char *what, struct ba_error *err)
{
  if(length == 0)
    return ba_error_set(err, BA_INVALID, "empty", "%s is empty", what);
  for(size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    const char *name = c == '\r'               ? "a carriage return"
                       : c == '\n'             ? "a line feed"
                       : c == 0                ? "a NUL byte"
                       : c < 0x20 && c != '\t' ? "a control character"
                       : c == 0x7F             ? "a control character"
                                               : NULL;
    if(name)
      return ba_error_set(err, BA_INVALID, "control_character",
                          "%s contains %s, which no header can carry", what, name);
  }
  return true;
}

/* read(2) and not stdio: a FILE has a buffer of its own that nobody wipes. */
static bool read_all(int fd, const char *label, struct ba_buffer *out, struct ba_error *err)
{
  for(;;) {
    if(!ba_buffer_reserve(out, 1, err))
      return false;
    size_t room = out->capacity - out->length;
    ssize_t got = read(fd, out->bytes + out->length, room < READ_STEP ? room : READ_STEP);
    if(got < 0 && errno == EINTR)
      continue;
    if(got < 0)
      return ba_error_errno(err, errno, label);
    if(got == 0)
      return true;
    out->length += (size_t)got;
    out->bytes[out->length] = '\0';
  }
}

static void trim_line_end(struct ba_buffer *text)
{
  if(text->length > 0 && text->bytes[text->length - 1] == '\n')
    text->length--;
  if(text->length > 0 && text->bytes[text->length - 1] == '\r')
    text->length--;
  if(text->bytes)
    text->bytes[text->length] = '\0';
}

/* Whoever can write to it decides what is sent, and where a request ends up. */
static bool others_write(const struct stat *info)
{
  uid_t us = geteuid();
  return (info->st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
         (us != 0 && info->st_uid != us && info->st_uid != 0);
}

bool ba_secret_read_file(const char *path, const char *what, struct ba_buffer *out, bool *exposed,
                         struct ba_error *err)
{
  char label[BA_ERROR_MESSAGE_MAX];
  struct ba_error quiet = {0};
  ba_error_set(&quiet, BA_IO, NULL, "%s %s", what, path);
  memcpy(label, quiet.message, sizeof(label));
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if(fd < 0)
    return ba_error_errno(err, errno, label);
  struct stat info;
  bool ok = fstat(fd, &info) == 0 || ba_error_errno(err, errno, label);
  if(ok && S_ISDIR(info.st_mode))
    ok = ba_error_errno(err, EISDIR, label);
  if(ok && S_ISREG(info.st_mode) && others_write(&info))
    ok = ba_error_set(err, BA_INVALID, "writable",
                      "%s can be written by others than its owner (chmod 600 mends it)", label);
  if(ok && exposed)
    *exposed = S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
  ok = ok && read_all(fd, label, out, err);
  close(fd);
  if(!ok) {
    if(err && err->kind == BA_TOO_LARGE)
      ba_error_set(err, BA_TOO_LARGE, NULL, "%s is larger than %zu bytes", label, out->cap);
    return false;
  }
  trim_line_end(out);
  return out->length > 0 || ba_error_set(err, BA_INVALID, "empty", "%s is empty", label);
}

bool ba_private_file_read(const char *path, struct ba_buffer *out, struct ba_error *err)
{
  bool exposed = false;
  if(!ba_secret_read_file(path, "the file", out, &exposed, err))
    return false;
  if(exposed) {
    ba_buffer_free(out);
    return ba_error_set(err, BA_INVALID, "readable",
                        "the file %s can be read by others than its owner (chmod 600 mends it)",
                        path);
  }
  return true;
}
