#include "system/pages.h"

#include "system/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef BA_LINUX
#include <inttypes.h>
#endif

/* Not counted as a failure: an unprivileged process may lock little, or nothing. */
static void protect(void *pages, size_t bytes, size_t locked)
{
#if defined(MADV_DONTDUMP)
  (void)madvise(pages, bytes, MADV_DONTDUMP);
#elif defined(MADV_NOCORE)
  (void)madvise(pages, bytes, MADV_NOCORE);
#endif
#if defined(MLOCK_ONFAULT)
  if(mlock2(pages, bytes, MLOCK_ONFAULT) == 0)
    return;
#endif
  (void)mlock(pages, locked);
}

void *ba_pages_take(size_t bytes, size_t locked)
{
#ifdef MAP_ANONYMOUS
  void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if(pages == MAP_FAILED)
    return NULL;
#else
  enum { PAGE = 64 << 10 }; /* no system has larger ones by default */
  void *pages;
  if(posix_memalign(&pages, PAGE, bytes) != 0)
    return NULL;
  memset(pages, 0, bytes);
#endif
  protect(pages, bytes, locked);
  return pages;
}

#if defined(BA_LINUX) && defined(__GLIBC__) && UINTPTR_MAX > UINT32_MAX
/* glibc gives a thread an arena: a range of 64 MiB, aligned to its size, of which
 * the beginning can be used and the rest is reserved. That it is so is looked up. */
enum { ARENA = 64 << 20 };

static bool is_arena(uintptr_t base)
{
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[512], may[5];
  uintptr_t from, to, expected = base;
  while(maps && expected < base + ARENA && fgets(line, sizeof(line), maps)) {
    if(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, may) == 3 && from == expected &&
       may[0] == (from == base ? 'r' : '-') && !strchr(line, '['))
      expected = to;
  }
  if(maps)
    fclose(maps);
  return expected == base + ARENA;
}

void ba_pages_hide_heap(void)
{
  void *block = malloc(1);
  uintptr_t base = (uintptr_t)block & ~(uintptr_t)(ARENA - 1);
  if(block && is_arena(base))
    (void)madvise((void *)base, ARENA, MADV_DONTDUMP);
  free(block);
}
#else
void ba_pages_hide_heap(void)
{
}
#endif
