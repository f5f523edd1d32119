#include "batchapi/ledger.h"

#include "batchapi/alloc.h"

#include <string.h>

#define FIRST_ROOM 256u

struct ba_ledger {
  uint64_t seed;
  uint64_t mask; /* the bits of a hash that count */
  uint32_t count, room;
  uint64_t *hashes; /* 0: the request has no id */
  uint64_t *places;
  uint8_t *states;
  uint32_t *slots; /* open addressing by hash; 0: empty, else a number */
  uint32_t slot_count, slots_used;
  uint32_t tally[BA_LEDGER_STATES];
};

struct ba_ledger *ba_ledger_new(uint64_t seed, unsigned bits, struct ba_error *err)
{
  struct ba_ledger *ledger = ba_calloc(1, sizeof *ledger);
  if(!ledger) {
    ba_error_nomem(err);
    return NULL;
  }
  ledger->seed = seed;
  ledger->mask = bits >= 64 || bits == 0 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
  return ledger;
}

void ba_ledger_delete(struct ba_ledger *ledger)
{
  if(!ledger)
    return;
  ba_free(ledger->hashes);
  ba_free(ledger->places);
  ba_free(ledger->states);
  ba_free(ledger->slots);
  ba_free(ledger);
}

static uint64_t mix(uint64_t h)
{
  h ^= h >> 33;
  h *= UINT64_C(0xff51afd7ed558ccd);
  h ^= h >> 33;
  h *= UINT64_C(0xc4ceb9fe1a85ec53);
  return h ^ (h >> 33);
}

/* Eight bytes at a time, each block mixed with what came before. Never 0. */
static uint64_t hash_of(const struct ba_ledger *ledger, const char *id, size_t length)
{
  uint64_t h = mix(ledger->seed ^ ((uint64_t)length * UINT64_C(0x9e3779b97f4a7c15)));
  while(length > 0) {
    uint64_t block = 0;
    size_t take = length < sizeof block ? length : sizeof block;
    memcpy(&block, id, take);
    h = mix((h ^ block) + UINT64_C(0x9e3779b97f4a7c15));
    id += take;
    length -= take;
  }
  h &= ledger->mask;
  return h ? h : 1;
}

/* The slot that holds the hash, or the empty one where it belongs. */
static uint32_t slot_of(const struct ba_ledger *ledger, uint64_t hash)
{
  uint32_t at = (uint32_t)mix(hash) & (ledger->slot_count - 1);
  while(ledger->slots[at] && ledger->hashes[ledger->slots[at] - 1] != hash)
    at = (at + 1) & (ledger->slot_count - 1);
  return at;
}

static bool grow_requests(struct ba_ledger *ledger, struct ba_error *err)
{
  if(ledger->count < ledger->room)
    return true;
  if(ledger->count >= BA_LEDGER_MAX)
    return ba_error_set(err, BA_TOO_LARGE, "requests", "a job can have at most %u requests",
                        BA_LEDGER_MAX);
  /* By half: doubling would hold three times what is needed at the worst. */
  uint32_t room = ledger->room ? ledger->room + ledger->room / 2 : FIRST_ROOM;
  uint64_t *hashes = ba_realloc(ledger->hashes, (size_t)room * sizeof *hashes);
  if(hashes)
    ledger->hashes = hashes;
  uint64_t *places = hashes ? ba_realloc(ledger->places, (size_t)room * sizeof *places) : NULL;
  if(places)
    ledger->places = places;
  uint8_t *states = places ? ba_realloc(ledger->states, room) : NULL;
  if(!states)
    return ba_error_nomem(err);
  ledger->states = states;
  ledger->room = room;
  return true;
}

/* Keeps the table at most two thirds full. */
static bool grow_slots(struct ba_ledger *ledger, struct ba_error *err)
{
  if(ledger->slot_count && ledger->slots_used < ledger->slot_count / 3 * 2)
    return true;
  uint32_t slot_count = ledger->slot_count ? ledger->slot_count * 2 : FIRST_ROOM;
  uint32_t *slots = ba_calloc(slot_count, sizeof *slots);
  if(!slots)
    return ba_error_nomem(err);
  uint32_t *old = ledger->slots;
  uint32_t old_count = ledger->slot_count;
  ledger->slots = slots;
  ledger->slot_count = slot_count;
  for(uint32_t i = 0; i < old_count; i++)
    if(old[i])
      slots[slot_of(ledger, ledger->hashes[old[i] - 1])] = old[i];
  ba_free(old);
  return true;
}

uint32_t ba_ledger_add(struct ba_ledger *ledger, const char *id, size_t length, bool force,
                       uint32_t *other, struct ba_error *err)
{
  *other = 0;
  if(!grow_requests(ledger, err) || (id && !grow_slots(ledger, err)))
    return 0;
  uint64_t hash = 0;
  if(id) {
    hash = hash_of(ledger, id, length);
    uint32_t slot = slot_of(ledger, hash);
    if(ledger->slots[slot] && !force) {
      *other = ledger->slots[slot];
      return 0;
    }
    if(!ledger->slots[slot]) {
      ledger->slots[slot] = ledger->count + 1;
      ledger->slots_used++;
    }
  }
  uint32_t at = ledger->count++;
  ledger->hashes[at] = hash;
  ledger->places[at] = 0;
  ledger->states[at] = 0;
  ledger->tally[0]++;
  return at + 1;
}

uint32_t ba_ledger_find(const struct ba_ledger *ledger, const char *id, size_t length)
{
  if(!ledger->slot_count)
    return 0;
  return ledger->slots[slot_of(ledger, hash_of(ledger, id, length))];
}

uint32_t ba_ledger_count(const struct ba_ledger *ledger)
{
  return ledger->count;
}

unsigned ba_ledger_state(const struct ba_ledger *ledger, uint32_t number)
{
  return ledger->states[number - 1];
}

void ba_ledger_set(struct ba_ledger *ledger, uint32_t number, unsigned state)
{
  ledger->tally[ledger->states[number - 1]]--;
  ledger->states[number - 1] = (uint8_t)state;
  ledger->tally[state]++;
}

uint64_t ba_ledger_place(const struct ba_ledger *ledger, uint32_t number)
{
  return ledger->places[number - 1];
}

void ba_ledger_put(struct ba_ledger *ledger, uint32_t number, uint64_t place)
{
  ledger->places[number - 1] = place;
}

uint32_t ba_ledger_tally(const struct ba_ledger *ledger, unsigned state)
{
  return ledger->tally[state];
}

uint32_t ba_ledger_next(const struct ba_ledger *ledger, uint32_t number, unsigned state)
{
  if(number < 1 || number > ledger->count)
    return 0;
  const uint8_t *found =
      memchr(ledger->states + number - 1, (int)state, ledger->count - number + 1);
  return found ? (uint32_t)(found - ledger->states) + 1 : 0;
}
