#include "binding/host/park.h"

void ba_unpark(lua_State *L, struct ba_parked *parked, uint64_t id)
{
  if(!parked->parking)
    return;
  ba_parking_take(parked->parking, id);
  ba_parking_release(parked->parking);
  luaL_unref(L, LUA_REGISTRYINDEX, parked->semaphore);
  parked->parking = NULL;
}

/* Keeps the value at `index` alive for as long as it may be posted. [-0, +0, m] */
static void keep(lua_State *L, struct ba_parked *parked, uint64_t id, struct ba_parking *parking,
                 int index)
{
  if(parked->parking) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, parked->semaphore);
    bool same = parked->parking == parking && lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    if(same)
      return;
    ba_unpark(L, parked, id);
  }
  lua_pushvalue(L, index);
  parked->semaphore = luaL_ref(L, LUA_REGISTRYINDEX);
  parked->parking = ba_parking_retain(parking);
}

void ba_park(lua_State *L, struct ba_parked *parked, uint64_t id)
{
  struct ba_parking *parking = ba_check_parking(L, 2);
  double address = luaL_checknumber(L, 3);
  struct ba_error err = {0};
  luaL_argcheck(L, address > 0 && address < 9007199254740992.0, 3, "an address");
  luaL_checkany(L, 4);
  keep(L, parked, id, parking, 4);
  if(!ba_parking_put(parking, id, (void *)(uintptr_t)address, lua_toboolean(L, 5), &err))
    luaL_error(L, "%s", err.message);
}
