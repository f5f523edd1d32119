/* The account of a job's requests: for each, numbered from 1, a hash of its
 * id, a state of one byte, and the place of its result in a file. About 25
 * bytes a request, so that a job of a million fits where a table of strings
 * would not.
 *
 * Ids themselves are not kept: equal hashes are reported, and whoever has the
 * ids on disk compares them. The hash is seeded, so that no input can be made
 * to collide. One thread at a time. */
#ifndef BA_LEDGER_H
#define BA_LEDGER_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

#define BA_LEDGER_MAX (1u << 28) /* requests of one job */
#define BA_LEDGER_STATES 8

struct ba_ledger;

/* `bits` (1..64): how many bits of the hash count; fewer than 64 only in
 * tests, which want collisions. */
struct ba_ledger *ba_ledger_new(uint64_t seed, unsigned bits, struct ba_error *err);
void ba_ledger_delete(struct ba_ledger *ledger);

/* Enters the next request in state 0 and gives its number; 0 on failure. With
 * an id whose hash is there already nothing is entered: 0, and *other is the
 * number of the one that has it; `force` enters it all the same, but
 * ba_ledger_find() keeps finding the first. NULL: a request without id. */
uint32_t ba_ledger_add(struct ba_ledger *ledger, const char *id, size_t length, bool force,
                       uint32_t *other, struct ba_error *err);

/* The number of the request with the id's hash, 0 if there is none. */
uint32_t ba_ledger_find(const struct ba_ledger *ledger, const char *id, size_t length);

uint32_t ba_ledger_count(const struct ba_ledger *ledger);

/* `number` must be 1..count and `state` below BA_LEDGER_STATES. */
unsigned ba_ledger_state(const struct ba_ledger *ledger, uint32_t number);
void ba_ledger_set(struct ba_ledger *ledger, uint32_t number, unsigned state);
uint64_t ba_ledger_place(const struct ba_ledger *ledger, uint32_t number);
void ba_ledger_put(struct ba_ledger *ledger, uint32_t number, uint64_t place);

/* How many requests are in a state. */
uint32_t ba_ledger_tally(const struct ba_ledger *ledger, unsigned state);

/* The first request at or after `number` that is in the state; 0: none. */
uint32_t ba_ledger_next(const struct ba_ledger *ledger, uint32_t number, unsigned state);

#endif
