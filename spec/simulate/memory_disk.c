#include "memory_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, NAMES_MAX = 128, PENDING_MAX = 512 };

struct inode {
  struct inode *next; /* of all; freed with the disk */
  char *bytes;
  size_t size, room;
  size_t synced; /* so many bytes last through a power cut */
  char *before;  /* what a truncate that is not synced took away, from `size_before` on */
  size_t before_size;
  unsigned locked; /* by the mount of this number; 0: by none */
};

struct name {
  char text[NAME_MAX_BYTES];
  struct inode *inode; /* NULL: removed (of pending ones) */
};

struct table {
  struct name names[NAMES_MAX];
  size_t count;
};

struct memory_disk {
  unsigned references;
  unsigned mounts; /* the number of the last one; the only one that lives */
  bool dead;
  uint64_t operations, dies_at;
  size_t open_files;
  struct inode *inodes;
  struct table now, durable;
  struct name pending[PENDING_MAX]; /* changes of names since they were synced, in order */
  size_t pending_count;
};

struct mount {
  struct memory_disk *disk;
  unsigned number;
};

struct handle {
  struct inode *inode;
  bool holds;
};

/* ---- names --------------------------------------------------------------- */

static struct name *find(struct table *table, const char *name)
{
  for(size_t i = 0; i < table->count; i++) {
    if(strcmp(table->names[i].text, name) == 0)
      return &table->names[i];
  }
  return NULL;
}

static int set(struct table *table, const char *name, struct inode *inode)
{
  struct name *entry = find(table, name);
  if(!inode) {
    if(entry)
      *entry = table->names[--table->count];
    return 0;
  }
  if(!entry && (table->count == NAMES_MAX || strlen(name) >= NAME_MAX_BYTES))
    return ENOSPC;
  if(!entry) {
    entry = &table->names[table->count++];
    strcpy(entry->text, name);
  }
  entry->inode = inode;
  return 0;
}

static int change(struct memory_disk *disk, const char *name, struct inode *inode)
{
  int failure = set(&disk->now, name, inode);
  if(failure)
    return failure;
  if(disk->pending_count == PENDING_MAX)
    return ENOSPC;
  struct name *entry = &disk->pending[disk->pending_count++];
  strcpy(entry->text, name);
  entry->inode = inode;
  return 0;
}

static struct inode *make(struct memory_disk *disk)
{
  struct inode *inode = calloc(1, sizeof(*inode));
  if(inode) {
    inode->next = disk->inodes;
    disk->inodes = inode;
  }
  return inode;
}

static bool append(struct inode *inode, const void *bytes, size_t length)
{
  if(inode->size + length > inode->room) {
    size_t room = (inode->size + length) * 2;
    char *larger = realloc(inode->bytes, room);
    if(!larger)
      return false;
    inode->bytes = larger;
    inode->room = room;
  }
  if(length)
    memcpy(inode->bytes + inode->size, bytes, length);
  inode->size += length;
  return true;
}

/* ---- life ---------------------------------------------------------------- */

struct memory_disk *memory_disk_new(void)
{
  struct memory_disk *disk = calloc(1, sizeof(*disk));
  if(disk)
    disk->references = 1;
  return disk;
}

void memory_disk_retain(struct memory_disk *disk)
{
  disk->references++;
}

void memory_disk_release(struct memory_disk *disk)
{
  if(--disk->references > 0)
    return;
  while(disk->inodes) {
    struct inode *next = disk->inodes->next;
    free(disk->inodes->bytes);
    free(disk->inodes->before);
    free(disk->inodes);
    disk->inodes = next;
  }
  free(disk);
}

void *memory_disk_mount(struct memory_disk *disk)
{
  struct mount *mount = malloc(sizeof(*mount));
  if(!mount)
    return NULL;
  memory_disk_retain(disk);
  disk->mounts++;
  disk->dead = false;
  disk->dies_at = 0;
  mount->disk = disk;
  mount->number = disk->mounts;
  return mount;
}

static void release(void *place)
{
  struct mount *mount = place;
  memory_disk_release(mount->disk);
  free(mount);
}

void memory_disk_die_after(struct memory_disk *disk, uint64_t operations)
{
  disk->dies_at = operations ? disk->operations + operations : 0;
}

bool memory_disk_is_dead(const struct memory_disk *disk)
{
  return disk->dead;
}

/* xorshift64*: each crash has its own seed. */
static uint64_t draw(uint64_t *state)
{
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1Du >> 16;
}

/* Of the bytes behind what was synced none, some, or all last; sometimes the
 * length lasts and the bytes do not. */
static void crash_inode(struct inode *inode, uint64_t *choices)
{
  if(inode->before && draw(choices) % 2) { /* the truncate never happened */
    free(inode->bytes);
    inode->bytes = inode->before;
    inode->size = inode->room = inode->before_size;
    inode->synced = inode->size;
    inode->before = NULL;
  }
  size_t loose = inode->size - inode->synced;
  if(!loose)
    return;
  uint64_t how = draw(choices) % 8;
  size_t kept = how < 3 ? 0 : how < 5 ? loose : (size_t)(draw(choices) % loose);
  if(how == 7)
    memset(inode->bytes + inode->synced + kept, 0, loose - kept);
  else
    inode->size = inode->synced + kept;
}

void memory_disk_crash(struct memory_disk *disk, uint64_t choices)
{
  disk->mounts++;
  disk->dead = true;
  disk->dies_at = 0;
  size_t kept = disk->pending_count;
  if(choices) {
    kept = draw(&choices) % 3 ? (size_t)(draw(&choices) % (kept + 1)) : kept;
    for(struct inode *inode = disk->inodes; inode; inode = inode->next)
      crash_inode(inode, &choices);
  }
  for(size_t i = 0; i < kept; i++)
    set(&disk->durable, disk->pending[i].text, disk->pending[i].inode);
  disk->pending_count = 0;
  disk->now = disk->durable;
  for(struct inode *inode = disk->inodes; inode; inode = inode->next) {
    inode->synced = inode->size;
    inode->locked = 0;
    free(inode->before);
    inode->before = NULL;
  }
}

/* ---- the operations ------------------------------------------------------ */

/* The disk, if the mount lives; `changes` counts towards its death. */
static struct memory_disk *enter(void *place, bool changes)
{
  struct mount *mount = place;
  struct memory_disk *disk = mount->disk;
  if(mount->number != disk->mounts || disk->dead)
    return NULL;
  if(changes && ++disk->operations == disk->dies_at) {
    disk->dead = true;
    return NULL;
  }
  return disk;
}

static int memory_open(void *place, const char *name, enum ba_disk_mode mode, intptr_t *file)
{
  struct memory_disk *disk = enter(place, mode != BA_DISK_READ);
  if(!disk)
    return EIO;
  struct name *entry = find(&disk->now, name);
  struct inode *inode = entry ? entry->inode : NULL;
  if(!inode && (mode == BA_DISK_READ || mode == BA_DISK_CHANGE))
    return ENOENT;
  if(!inode || mode == BA_DISK_CREATE) {
    inode = make(disk);
    int failure = inode ? change(disk, name, inode) : ENOMEM;
    if(failure)
      return failure;
  }
  struct handle *handle = calloc(1, sizeof(*handle));
  if(!handle)
    return ENOMEM;
  handle->inode = inode;
  disk->open_files++;
  *file = (intptr_t)handle;
  return 0;
}

static int memory_close(void *place, intptr_t file)
{
  struct mount *mount = place;
  struct handle *handle = (struct handle *)file;
  if(handle->holds && handle->inode->locked == mount->number)
    handle->inode->locked = 0;
  mount->disk->open_files--;
  free(handle);
  return 0;
}

static int memory_read(void *place, intptr_t file, uint64_t offset, void *out, size_t size,
                       size_t *got)
{
  struct inode *inode = ((struct handle *)file)->inode;
  *got = 0;
  if(!enter(place, false))
    return EIO;
  if(offset == BA_DISK_HERE)
    return ESPIPE;
  if(offset >= inode->size)
    return 0;
  *got = inode->size - (size_t)offset < size ? inode->size - (size_t)offset : size;
  memcpy(out, inode->bytes + offset, *got);
  return 0;
}

static int memory_write(void *place, intptr_t file, const void *bytes, size_t length, size_t *put)
{
  *put = 0;
  if(!enter(place, true))
    return EIO;
  if(!append(((struct handle *)file)->inode, bytes, length))
    return ENOSPC;
  *put = length;
  return 0;
}

static int memory_sync(void *place, intptr_t file)
{
  if(!enter(place, true))
    return EIO;
  struct inode *inode = ((struct handle *)file)->inode;
  inode->synced = inode->size;
  free(inode->before);
  inode->before = NULL;
  return 0;
}

static int memory_truncate(void *place, intptr_t file, uint64_t size)
{
  if(!enter(place, true))
    return EIO;
  struct inode *inode = ((struct handle *)file)->inode;
  if(size >= inode->size)
    return 0;
  if(size < inode->synced && !inode->before) {
    inode->before = malloc(inode->synced);
    if(!inode->before)
      return ENOMEM;
    memcpy(inode->before, inode->bytes, inode->synced);
    inode->before_size = inode->synced;
  }
  inode->size = (size_t)size;
  if(inode->synced > inode->size)
    inode->synced = inode->size;
  return 0;
}

static int memory_size(void *place, intptr_t file, uint64_t *size)
{
  if(!enter(place, false))
    return EIO;
  *size = ((struct handle *)file)->inode->size;
  return 0;
}

static int memory_lock(void *place, intptr_t file)
{
  struct mount *mount = place;
  struct handle *handle = (struct handle *)file;
  if(!enter(place, false))
    return EIO;
  if(handle->inode->locked)
    return EAGAIN;
  handle->inode->locked = mount->number;
  handle->holds = true;
  return 0;
}

static int memory_is_at(void *place, intptr_t file, const char *name)
{
  struct memory_disk *disk = enter(place, false);
  if(!disk)
    return EIO;
  struct name *entry = find(&disk->now, name);
  return entry && entry->inode == ((struct handle *)file)->inode ? 0 : ENOENT;
}

static int memory_stat(void *place, const char *name, struct ba_stat *out)
{
  struct memory_disk *disk = enter(place, false);
  if(!disk)
    return EIO;
  struct name *entry = find(&disk->now, name);
  if(!entry)
    return ENOENT;
  *out = (struct ba_stat){.size = entry->inode->size, .mtime = 0, .type = "file"};
  return 0;
}

static int memory_rename(void *place, const char *from, const char *to)
{
  struct memory_disk *disk = enter(place, true);
  if(!disk)
    return EIO;
  struct name *entry = find(&disk->now, from);
  if(!entry)
    return ENOENT;
  struct inode *inode = entry->inode;
  int failure = change(disk, to, inode);
  return failure ? failure : change(disk, from, NULL);
}

static int memory_unlink(void *place, const char *name)
{
  struct memory_disk *disk = enter(place, true);
  if(!disk)
    return EIO;
  return find(&disk->now, name) ? change(disk, name, NULL) : ENOENT;
}

static int memory_sync_names(void *place, const char *name)
{
  (void)name;
  struct memory_disk *disk = enter(place, true);
  if(!disk)
    return EIO;
  disk->durable = disk->now;
  disk->pending_count = 0;
  return 0;
}

static int memory_list(void *place, bool (*each)(void *user, const char *name), void *user)
{
  struct memory_disk *disk = enter(place, false);
  if(!disk)
    return EIO;
  for(size_t i = 0; i < disk->now.count; i++) {
    if(!each(user, disk->now.names[i].text))
      break;
  }
  return 0;
}

const struct ba_disk_ops memory_disk_ops = {
    .open = memory_open,
    .close = memory_close,
    .read = memory_read,
    .write = memory_write,
    .sync = memory_sync,
    .truncate = memory_truncate,
    .size = memory_size,
    .lock = memory_lock,
    .is_at = memory_is_at,
    .stat = memory_stat,
    .rename = memory_rename,
    .unlink = memory_unlink,
    .sync_names = memory_sync_names,
    .list = memory_list,
    .release = release,
};

/* ---- from outside -------------------------------------------------------- */

size_t memory_disk_open_files(const struct memory_disk *disk)
{
  return disk->open_files;
}

uint64_t memory_disk_operations(const struct memory_disk *disk)
{
  return disk->operations;
}

bool memory_disk_name(const struct memory_disk *disk, size_t n, const char **name, size_t *size)
{
  if(n >= disk->now.count)
    return false;
  *name = disk->now.names[n].text;
  *size = disk->now.names[n].inode->size;
  return true;
}

bool memory_disk_read(const struct memory_disk *disk, const char *name, const char **bytes,
                      size_t *size)
{
  struct name *entry = find((struct table *)&disk->now, name);
  if(!entry)
    return false;
  *bytes = entry->inode->bytes ? entry->inode->bytes : "";
  *size = entry->inode->size;
  return true;
}

bool memory_disk_put(struct memory_disk *disk, const char *name, const char *bytes, size_t size)
{
  struct inode *inode = make(disk);
  if(!inode || !append(inode, bytes, size))
    return false;
  inode->synced = size;
  return set(&disk->now, name, inode) == 0 && set(&disk->durable, name, inode) == 0;
}

bool memory_disk_flip(struct memory_disk *disk, const char *name, size_t bit)
{
  struct name *entry = find(&disk->now, name);
  if(!entry || bit / 8 >= entry->inode->size)
    return false;
  entry->inode->bytes[bit / 8] ^= (char)(1 << bit % 8);
  return true;
}
