/* The userdata of the HTTP part, for the files that share them. Each holds
 * one reference to a thing of the core and gives it back in __gc. */
#ifndef BA_HANDLE_H
#define BA_HANDLE_H

#include "binding/base/binding.h"
#include "binding/base/compat.h"

#include "batchapi/buffer.h"
#include "batchapi/call.h"
#include "batchapi/nginx_request.h"
#include "binding/host/park.h"

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
  bool ended;                 /* it was seen that the call is done */
  struct ba_credential *credential;
  struct ba_buffer chunk;  /* read from the call, not yet with Lua; or memory for the next */
  struct ba_buffer token;  /* renewed, not yet with Lua */
  struct ba_parked parked; /* in nginx's event loop */
  struct ba_bound bound;   /* to nginx's request */
};

struct ba_client_handle *ba_check_client(lua_State *L, int index); /* an open one */

/* A call without a request yet: the released one at `index`, or, where there is
 * nil, a new one. [-0, +1, e] */
struct ba_call_handle *ba_new_call(lua_State *L, int index);
struct ba_call_handle *ba_check_call_handle(lua_State *L, int index);

/* Builds a request from the table at `index`. False when a value is one that
 * the core refuses; a wrong type or an unknown field raises: *out is then what
 * its owner has to free. [-0, +n, e] */
bool ba_build_request(lua_State *L, int index, struct ba_request **out,
                      const struct ba_client_handle *client, struct ba_error *err);

/* Pushes, as a userdata, what many requests have in common. [-0, +1, e] */
bool ba_prepare_request(lua_State *L, int index, const struct ba_client_handle *client,
                        struct ba_error *err);
struct ba_request *ba_prepared_request(lua_State *L, int index); /* stays the userdata's */
void ba_open_prepared(lua_State *L);

/* name -> value; a list of set-cookie. [-0, +1, m] */
void ba_push_headers(lua_State *L, const struct ba_header_view *headers, size_t count);

/* What call:answer() gives of a call that succeeded; nil when it failed. The
 * lists of names are at index 2. [-0, +1|12|13, e] */
int ba_push_answer(lua_State *L, struct ba_call *call);

/* The outcome of a call that is done, and its next attempt's record (nil when
 * none waits), as tables. [-0, +1, m] */
void ba_push_outcome(lua_State *L, struct ba_call *call);
void ba_push_attempt(lua_State *L, struct ba_call *call);

#endif
