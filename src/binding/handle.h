/* The userdata of the HTTP part, for the files that share them. Each holds
 * one reference to a thing of the core and gives it back in __gc. */
#ifndef BA_HANDLE_H
#define BA_HANDLE_H

#include "binding.h"
#include "compat.h"

#include "buffer.h"
#include "engine.h"
#include "park.h"

#define BA_LIMIT_NAME_MAX 32

/* core.client */
struct ba_client_handle {
  struct ba_client *client;         /* NULL: not made */
  struct ba_credential *credential; /* retained; NULL: none */
  bool closed;
  unsigned warnings; /* of the credential's, how many were told */
  char limits[BA_LIMITS_MAX][BA_LIMIT_NAME_MAX];
};

/* What client:start() gives. */
struct ba_call_handle {
  struct ba_request *request; /* while it is being built */
  struct ba_call *call;       /* NULL: not started */
  struct ba_credential *credential;
  struct ba_buffer chunk;  /* read from the call, not yet with Lua; or memory for the next */
  struct ba_buffer token;  /* renewed, not yet with Lua */
  struct ba_parked parked; /* in nginx's event loop */
};

struct ba_client_handle *ba_check_client(lua_State *L, int index); /* an open one */

/* The parking of a mailbox that has joined nginx, or an argument error. */
struct ba_parking *ba_check_parking(lua_State *L, int index);

/* A call without a request yet. [-0, +1, m] */
struct ba_call_handle *ba_new_call(lua_State *L);
struct ba_call_handle *ba_check_call_handle(lua_State *L, int index);

/* Builds handle->request from the table at `index`. False when a value is one
 * that the core refuses; a wrong type or an unknown field raises, after which
 * the handle frees what was built. [-0, +n, e] */
bool ba_build_request(lua_State *L, int index, struct ba_call_handle *handle,
                      const struct ba_client_handle *client, struct ba_error *err);

/* What a user sees of a call that succeeded (the fields of batchapi.Response
 * that need no definition) and the bytes in its file; nil when it failed.
 * [-0, +1..2, m] */
int ba_push_answer(lua_State *L, struct ba_call *call);

/* The outcome of a call that is done, and its next attempt's record (nil when
 * none waits), as tables. [-0, +1, m] */
void ba_push_outcome(lua_State *L, struct ba_call *call);
void ba_push_attempt(lua_State *L, struct ba_call *call);

#endif
