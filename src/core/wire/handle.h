/* Easy handles, kept set up between attempts. For the files of this room that
 * speak to libcurl about an attempt. I/O thread only. */
#ifndef BA_HANDLE_H
#define BA_HANDLE_H

#include "batchapi/buffer.h"
#include "crypto/tls.h"
#include "wire/network.h"
#include "wire/request.h"
#include "wire/sockets.h"

#include <curl/curl.h>

enum ba_shape { BA_SHAPE_OTHER, BA_SHAPE_GET, BA_SHAPE_POST };

struct ba_handle_use {
  uint64_t network;
  enum ba_shape shape;
  bool tls;
  bool home; /* at the client's own origin: its certificate may be shown */
  double connect_timeout;
};

/* Its own headers are at most seven; the rest is for those of the request that
 * may follow a redirect to another origin. */
enum { BA_NODES_MAX = 16 };

struct ba_transfer;

struct ba_handle {
  CURL *easy;
  struct ba_transfer *transfer; /* whose attempt it carries */
  struct ba_handle *next;       /* of the spare ones */
  CURLSH *pool;                 /* of connections of its own; NULL: others' too */
  struct ba_handle_use use;
  char *url;     /* NULL, or what `parsed` is of and the options say */
  CURLU *parsed; /* NULL: none was needed yet */
  char detail[CURL_ERROR_SIZE];
  char issuer[BA_TLS_ISSUER_MAX]; /* of a certificate that was not believed */
  /* of this attempt */
  struct ba_error failure; /* what a callback found */
  struct ba_opened opened;
  struct curl_slist nodes[BA_NODES_MAX]; /* headers, before the request's own */
  unsigned node_count;
  struct ba_buffer auth_line; /* secret */
};

/* *ready: it is set up for such a request; what differs from call to call
 * (URL, headers, body) is to be set. Not ready: all but the network is. */
struct ba_handle *ba_handle_take(const struct ba_network *network, const struct ba_request *request,
                                 const char *url, bool *ready, struct ba_error *err);
/* Where its next transfer goes. */
CURLcode ba_handle_address(struct ba_handle *handle, const char *url);
void ba_handle_header(struct ba_handle *handle,
                      const char *line); /* lives as long as the attempt */
/* False: an option that libcurl did not take (codes may be or-ed), as an error. */
bool ba_handle_refused(CURLcode code, struct ba_error *err);
void ba_handle_give_back(struct ba_handle *handle, bool reset);
void ba_handles_free(void); /* those given back */
void ba_handles_in_child(void);

#endif
