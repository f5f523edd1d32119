/* core.mailbox(): where the calls of one Lua state report. */
#include "binding/base/compat.h"
#include "binding/host/park.h"

#include "batchapi/doorbell.h"
#include "batchapi/mailbox.h"
#include "batchapi/nginx.h"

#include <math.h>

#define MAILBOX_TYPE "batchapi.mailbox"
#define DRAIN_MAX 256 /* reports taken at a time */

struct box {
  struct ba_mailbox *mailbox; /* NULL: closed */
  struct ba_parking *parking; /* in nginx, else NULL */
  struct ba_doorbell *doorbell;
};

static struct box *check_box(lua_State *L, int index)
{
  struct box *box = ba_check_object(L, index, MAILBOX_TYPE);
  luaL_argcheck(L, box->mailbox != NULL, index, "the mailbox is closed");
  return box;
}

struct ba_mailbox *ba_check_mailbox(lua_State *L, int index)
{
  return check_box(L, index)->mailbox;
}

struct ba_parking *ba_check_parking(lua_State *L, int index)
{
  struct ba_parking *parking = check_box(L, index)->parking;
  luaL_argcheck(L, parking != NULL, index, "the mailbox is not in nginx's event loop");
  return parking;
}

/* core.mailbox() -> mailbox | nil, message, err   [-0, +1..3, e] */
static int mailbox_new(lua_State *L)
{
  struct box *box = ba_new_userdata(L, sizeof(*box), MAILBOX_TYPE);
  struct ba_error err = {0};
  box->mailbox = ba_mailbox_new(&err);
  return box->mailbox ? 1 : ba_fail(L, &err);
}

/* mailbox:fd() -> integer   [-0, +1, e] */
static int mailbox_fd(lua_State *L)
{
  ba_push_integer(L, ba_mailbox_fd(ba_check_mailbox(L, 1)));
  return 1;
}

/* mailbox:wait(seconds) -> does a report wait?   Returns early on a signal, so
 * that the host's handler runs. [-0, +1, e] */
static int mailbox_wait(lua_State *L)
{
  struct ba_mailbox *mailbox = ba_check_mailbox(L, 1);
  double seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, isfinite(seconds), 2, "a wait must end");
  lua_pushboolean(L, ba_mailbox_wait(mailbox, seconds > 0 ? seconds : 0));
  return 1;
}

/* Fills the table at 2 from 1 on, and pushes the count. [-0, +1, m] */
static int give_ids(lua_State *L, const uint64_t *ids, size_t count)
{
  for(size_t i = 0; i < count; i++) {
    ba_push_integer(L, (int64_t)ids[i]);
    lua_rawseti(L, 2, (int)i + 1);
  }
  ba_push_integer(L, (int64_t)count);
  return 1;
}

/* mailbox:drain(ids) -> how many   Fills ids[1..n] with the calls that have
 * news. At most 256 at a time: when it gave that many, ask again. In nginx's
 * event loop these are only the calls parked with `tell`; for the others the
 * semaphores are posted. [-0, +1, e] */
static int mailbox_drain(lua_State *L)
{
  struct box *box = check_box(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  uint64_t ids[DRAIN_MAX];
  if(!box->parking)
    return give_ids(L, ids, ba_mailbox_drain(box->mailbox, ids, DRAIN_MAX));
  ba_parking_post(box->parking);
  return give_ids(L, ids, ba_parking_told(box->parking, ids, DRAIN_MAX));
}

/* ---- nginx: its event loop, or a cosocket -------------------------------- */

/* mailbox:join_nginx(stream) -> true | nil, message, err   From now on nginx's
 * event loop takes the reports; see call:park(). [-0, +1..3, e] */
static int mailbox_join_nginx(lua_State *L)
{
  struct box *box = check_box(L, 1);
  struct ba_error err = {0};
  if(!box->parking)
    box->parking = ba_parking_new(box->mailbox, lua_toboolean(L, 2), &err);
  if(!box->parking)
    return ba_fail(L, &err);
  lua_pushboolean(L, 1);
  return 1;
}

/* mailbox:leave_nginx()   [-0, +0, e] */
static int mailbox_leave_nginx(lua_State *L)
{
  struct box *box = check_box(L, 1);
  struct ba_parking *parking = box->parking;
  box->parking = NULL;
  ba_parking_close(parking);
  return 0;
}

/* mailbox:proven() -> has nginx called back?   [-0, +1, e] */
static int mailbox_proven(lua_State *L)
{
  lua_pushboolean(L, ba_parking_proven(ba_check_parking(L, 1)));
  return 1;
}

/* mailbox:listen() -> path of a unix socket | nil, message, err   [-0, +1..3, e] */
static int mailbox_listen(lua_State *L)
{
  struct box *box = check_box(L, 1);
  struct ba_error err = {0};
  ba_mailbox_announce(box->mailbox, -1);
  ba_doorbell_delete(box->doorbell);
  box->doorbell = ba_doorbell_new(&err);
  if(!box->doorbell)
    return ba_fail(L, &err);
  lua_pushstring(L, ba_doorbell_path(box->doorbell));
  return 1;
}

/* mailbox:accept() -> true | nil, message, err   Reports are announced through
 * the connection that was made to the path. [-0, +1..3, e] */
static int mailbox_accept(lua_State *L)
{
  struct box *box = check_box(L, 1);
  struct ba_error err = {0};
  luaL_argcheck(L, box->doorbell != NULL, 1, "the mailbox does not listen");
  int fd = ba_doorbell_accept(box->doorbell, &err);
  if(fd < 0)
    return ba_fail(L, &err);
  ba_mailbox_announce(box->mailbox, fd);
  lua_pushboolean(L, 1);
  return 1;
}

/* mailbox:ring()   Wakes whoever reads from the connection. [-0, +0, e] */
static int mailbox_ring(lua_State *L)
{
  struct box *box = check_box(L, 1);
  if(box->doorbell)
    ba_doorbell_ring(box->doorbell);
  return 0;
}

/* ---- life ---------------------------------------------------------------- */

/* mailbox:close(), __gc, __close   Its calls end; may be called twice. [-0, +0, e] */
static int mailbox_close(lua_State *L)
{
  struct box *box = ba_check_object(L, 1, MAILBOX_TYPE);
  struct box was = *box;
  *box = (struct box){0};
  if(!was.mailbox)
    return 0;
  ba_parking_close(was.parking);
  ba_mailbox_announce(was.mailbox, -1);
  ba_doorbell_delete(was.doorbell);
  ba_mailbox_delete(was.mailbox);
  return 0;
}

/* [-0, +1, e] */
static int mailbox_tostring(lua_State *L)
{
  struct box *box = ba_check_object(L, 1, MAILBOX_TYPE);
  if(box->mailbox)
    lua_pushfstring(L, MAILBOX_TYPE " (descriptor %d)", ba_mailbox_fd(box->mailbox));
  else
    lua_pushliteral(L, MAILBOX_TYPE " (closed)");
  return 1;
}

static const luaL_Reg methods[] = {
    {"accept", mailbox_accept},
    {"close", mailbox_close},
    {"drain", mailbox_drain},
    {"fd", mailbox_fd},
    {"join_nginx", mailbox_join_nginx},
    {"leave_nginx", mailbox_leave_nginx},
    {"listen", mailbox_listen},
    {"proven", mailbox_proven},
    {"ring", mailbox_ring},
    {"wait", mailbox_wait},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", mailbox_close}, {"__tostring", mailbox_tostring}, {NULL, NULL}};

void ba_open_mailbox(lua_State *L)
{
  ba_new_type(L, MAILBOX_TYPE, methods, metamethods);
  lua_pushcfunction(L, mailbox_new);
  lua_setfield(L, -2, "mailbox");
}
