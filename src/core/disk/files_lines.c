/* Lines of a file that are wanted in another order than they lie in it. */
#include "batchapi/files.h"

#include <string.h>

enum { FIRST = 8 << 10, MOST = 256 << 10 };

/* Appends the line that begins here, with a line feed. */
static bool read_line(struct ba_file *file, struct ba_buffer *out, struct ba_error *err)
{
  size_t start = out->length, step = FIRST, got;
  for(;;) {
    if(!ba_buffer_reserve(out, step, err) ||
       !ba_file_read(file, out->bytes + out->length, step, &got, err))
      return false;
    char *end = got ? memchr(out->bytes + out->length, '\n', got) : NULL;
    out->length = end ? (size_t)(end - out->bytes) + 1 : out->length + got;
    out->bytes[out->length] = '\0';
    if(end)
      return true;
    if(got == 0)
      break;
    step = step < MOST ? step * 2 : step;
  }
  if(out->length == start)
    return ba_error_set(err, BA_IO, "short", "%s ends before a line that is expected in it",
                        ba_file_path(file));
  return ba_buffer_append(out, "\n", 1, err);
}

bool ba_fs_lines(struct ba_disk *disk, const char *name, const uint64_t *offsets, size_t count,
                 struct ba_buffer *out, struct ba_error *err)
{
  struct ba_file *file = ba_file_open(disk, name, BA_FILE_READ, err);
  bool ok = file != NULL;
  for(size_t i = 0; ok && i < count && out->length < MOST; i++) {
    ba_file_seek(file, offsets[i]);
    ok = read_line(file, out, err);
  }
  ba_file_release(file);
  return ok;
}
