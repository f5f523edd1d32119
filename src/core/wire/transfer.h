/* Attempts of a transfer: begun, looked at, stopped. The door of this room: who
 * has a request to carry needs nothing else of it, but what is behind here. */
#ifndef BA_TRANSFER_H
#define BA_TRANSFER_H

#include "wire/transfer_state.h"

/* Of a zeroed one (but for the memory of its head and body) whose owner's part
 * is filled in. */
void ba_transfer_init(struct ba_transfer *transfer);
void ba_transfer_free(struct ba_transfer *transfer); /* but for that memory */

bool ba_transfer_start(struct ba_transfer *transfer, double now, struct ba_error *err);
/* The loop found its end: tells it by its done(). */
void ba_transfer_ended(void *handle, int code);
/* Takes over what libcurl has counted. False: it was done before, or there is nothing. */
bool ba_transfer_inspect(struct ba_transfer *transfer);
/* Ends the attempt, if there is one. */
void ba_transfer_stop(struct ba_transfer *transfer);
/* Bytes both ways so far. */
int64_t ba_transfer_progress(const struct ba_transfer *transfer);
/* The request is out and no byte of an answer has come: the server thinks. */
bool ba_transfer_silent(const struct ba_transfer *transfer);
void ba_transfer_resume(struct ba_transfer *transfer, double now);
/* May its body be sent once more? */
bool ba_transfer_repeats(const struct ba_transfer *transfer);
/* Each header of the attempt as it is given to libcurl; `secret`: the
 * credential's. Until one is refused. */
bool ba_transfer_each_header(const struct ba_transfer *transfer,
                             bool (*each)(void *user, const char *line, bool secret), void *user);
/* Gives kept handles back, before the loop is closed. */
void ba_transfers_end(void);
void ba_transfers_in_child(void);

#endif
