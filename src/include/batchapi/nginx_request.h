/* Calls that belong to a request of nginx's: one that ends while its calls are
 * under way (its client went away, say) cancels them at once, not when Lua's
 * collector comes by.
 *
 * The request's pool tells: ngx_http_cleanup_add(), public since the first
 * nginx, is found with dlsym(). Where it is missing (the stream module) nothing
 * is bound, and calls end when their handles are collected. All functions run
 * in the worker's main thread. */
#ifndef BA_NGINX_REQUEST_H
#define BA_NGINX_REQUEST_H

#include <stdbool.h>

/* Lies with whoever owns the call; zeroed, it is bound to nothing. */
struct ba_bound {
  void (*cancel)(void *call);
  void *call;    /* its owner's */
  void *request; /* NULL: not bound */
  struct ba_bound *next, **link;
};

/* Binds the call to the request, instead of another it may be bound to. False
 * when that is not possible. */
bool ba_bind(struct ba_bound *bound, void (*cancel)(void *call), void *call, void *request);
void ba_unbind(struct ba_bound *bound); /* may be bound to nothing */

#endif
