/* Whether a coroutine can yield, where Lua does not say.
 *
 * Lua 5.3, 5.4 and LuaJIT have lua_isyieldable(). Lua 5.1 and 5.2 decide by
 * counters in lua_State, which no function of theirs tells, and which no attempt
 * can find out: one that succeeds has yielded.
 *
 *   5.1  nCcalls, C calls under way, which must be as many as when the coroutine
 *        was resumed: baseCcalls
 *   5.2  nny, the calls that cannot be yielded across: must be zero
 *
 * They are read where they lie, and where that is is not taken for granted: two
 * coroutines are run, and within each some C calls within one another; the
 * counter is the one word that counts them. Where not exactly one
 * word answers to the description nothing is known, and every coroutine is
 * taken for one that can yield, as Lua itself then says otherwise too late. */
#include "binding/base/compat.h"

#include <string.h>

#if LUA_VERSION_NUM >= 503

bool ba_can_yield(lua_State *L)
{
  return lua_isyieldable(L) != 0;
}

void ba_learn_to_yield(lua_State *L)
{
  (void)L;
}

#else

#define DEPTHS 4 /* calls within one another */
#define RUNS 2   /* coroutines */

/* What is searched: the numbers that stand behind the pointers in the sources
 * of 5.1 and 5.2 (5.2 has a pointer there that nobody has set yet). */
#if LUA_VERSION_NUM == 501
#define FROM (11 * sizeof(void *))
#define SIZE (2 * sizeof(int) + 2 * sizeof(unsigned short))
#else
#define FROM (8 * sizeof(void *))
#define SIZE (sizeof(int) + 2 * sizeof(unsigned short))
#endif
#define WORDS (SIZE / sizeof(unsigned short))

struct view {
  unsigned short words[WORDS];
};

/* Of the process: the Lua that this library is bound to. */
static enum { UNKNOWN, ASK_LUA, EQUAL, ZERO } way;
static size_t counter, base;

/* LuaJIT has the first, PUC 5.1 the second, and each takes modules that were
 * built for the other. */
extern int lua_isyieldable(lua_State *L) __attribute__((weak));
extern void lua_setlevel(lua_State *from, lua_State *to) __attribute__((weak));

static void look(lua_State *L, struct view *view)
{
  memcpy(view->words, (const char *)(const void *)L + FROM, sizeof(view->words));
}

/* descend(views, depth)   [-0, +0, e] */
static int descend(lua_State *L)
{
  struct view *views = lua_touserdata(L, 1);
  int depth = (int)lua_tonumber(L, 2);
  look(L, &views[depth]);
  if(depth + 1 < DEPTHS) {
    lua_pushcfunction(L, descend);
    lua_pushvalue(L, 1);
    lua_pushnumber(L, depth + 1);
    lua_call(L, 2, 0);
  }
  return 0;
}

/* Runs descend() in a coroutine; the second one begins where more C calls are
 * under way. [-0, +0, m] */
static bool watch(lua_State *L, struct view *views, bool deeper)
{
  lua_State *co = lua_newthread(L);
  lua_pushcfunction(co, descend);
  lua_pushlightuserdata(co, views);
  lua_pushnumber(co, 0);
#if LUA_VERSION_NUM == 501
  if(deeper && lua_setlevel)
    lua_setlevel(L, co);
  bool ended = lua_resume(co, 2) == 0;
#else
  bool ended = lua_resume(co, deeper ? L : NULL, 2) == 0;
#endif
  lua_pop(L, 1);
  return ended;
}

static bool counts(struct view views[RUNS][DEPTHS], size_t at)
{
  for(int run = 0; run < RUNS; run++) {
    for(int depth = 1; depth < DEPTHS; depth++) {
      if(views[run][depth].words[at] != views[run][0].words[at] + depth)
        return false;
    }
  }
  return true;
}

/* Is the word what the counter was when the coroutine began? */
static bool is_base(struct view views[RUNS][DEPTHS], size_t at, size_t of)
{
  for(int run = 0; run < RUNS; run++) {
    for(int depth = 0; depth < DEPTHS; depth++) {
      if(views[run][depth].words[at] != views[run][0].words[of])
        return false;
    }
  }
  return views[0][0].words[at] != views[1][0].words[at];
}

static bool is_zero(struct view views[RUNS][DEPTHS], size_t at)
{
  return views[0][0].words[at] == 0 && views[1][0].words[at] == 0;
}

static void conclude(struct view views[RUNS][DEPTHS])
{
  int found = 0;
  for(size_t i = 0; i < WORDS; i++) {
    if(!counts(views, i))
      continue;
    for(size_t j = 0; LUA_VERSION_NUM == 501 && j < WORDS; j++) {
      if(is_base(views, j, i)) {
        counter = i;
        base = j;
        found++;
      }
    }
    if(LUA_VERSION_NUM == 502 && is_zero(views, i)) {
      counter = i;
      found++;
    }
  }
  if(found == 1)
    way = LUA_VERSION_NUM == 501 ? EQUAL : ZERO;
}

void ba_learn_to_yield(lua_State *L)
{
  struct view views[RUNS][DEPTHS];
  if(way != UNKNOWN)
    return;
  lua_getglobal(L, "jit");
  bool jit = lua_istable(L, -1);
  lua_pop(L, 1);
  if(jit && lua_isyieldable)
    way = ASK_LUA;
  else if(!jit && watch(L, views[0], false) && watch(L, views[1], true))
    conclude(views);
}

bool ba_can_yield(lua_State *L)
{
  struct view view;
  if(way == ASK_LUA)
    return lua_isyieldable(L) != 0;
  if(way == UNKNOWN)
    return true;
  look(L, &view);
  return view.words[counter] == (way == EQUAL ? view.words[base] : 0);
}

#endif
