#include "json/path.h"

#include "batchapi/json.h"

#include <stdlib.h>
#include <string.h>

/* Where the walk is: `matched` levels of the path are open around it, and the
 * next segment is `segment`. */
struct walk {
  struct ba_json_scanner scanner;
  const char *segment;
  char *out;
  size_t out_size;
  bool found;
};

static size_t segment_length(const char *segment)
{
  return strcspn(segment, ".");
}

static bool same_segment(const char *segment, const char *text, size_t length)
{
  return segment_length(segment) == length && memcmp(segment, text, length) == 0;
}

static bool same_index(const char *segment, size_t index)
{
  char *end;
  if(*segment < '0' || *segment > '9')
    return false;
  return strtoull(segment, &end, 10) == index && (*end == '.' || *end == '\0');
}

/* Takes the rest of a value whose first token is `token`; false on failure. */
static bool skip_value(struct ba_json_scanner *scanner, enum ba_json_token token)
{
  unsigned level = 0;
  for(;;) {
    if(token == BA_JSON_FAILED)
      return false;
    if(token == BA_JSON_ARRAY || token == BA_JSON_OBJECT)
      level++;
    else if(token == BA_JSON_ARRAY_END || token == BA_JSON_OBJECT_END)
      level--;
    if(level == 0 && token != BA_JSON_KEY)
      return true;
    token = ba_json_next(scanner);
  }
}

static void keep(struct walk *walk, const char *text, size_t length)
{
  if(length >= walk->out_size) {
    length = walk->out_size - 1;
    while(length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
      length--;
  }
  memcpy(walk->out, text, length);
  walk->out[length] = '\0';
  walk->found = true;
}

/* The token is the first of the value that the whole path leads to. `begin`
 * is where it is written. */
static bool take_value(struct walk *walk, enum ba_json_token token, const char *begin)
{
  struct ba_json_scanner *scanner = &walk->scanner;
  walk->found = false;
  walk->out[0] = '\0';
  if(token == BA_JSON_STRING) {
    keep(walk, scanner->string, scanner->length);
  } else if(token == BA_JSON_INTEGER || token == BA_JSON_FLOAT) {
    while(*begin != '-' && (*begin < '0' || *begin > '9'))
      begin++; /* the space or comma that the scanner skipped */
    keep(walk, begin, (size_t)(scanner->at - begin));
  }
  return skip_value(scanner, token);
}

static bool walk_value(struct walk *walk, enum ba_json_token token, const char *begin);

/* One member of the open container: the one that the segment names is walked
 * into, every other is skipped. */
static bool walk_member(struct walk *walk, bool wanted)
{
  const char *begin = walk->scanner.at;
  enum ba_json_token token = ba_json_next(&walk->scanner);
  if(token == BA_JSON_ARRAY_END) /* of the array itself: there was no member */
    return true;
  if(!wanted)
    return skip_value(&walk->scanner, token);
  const char *segment = walk->segment;
  walk->segment += segment_length(segment);
  walk->segment += *walk->segment == '.';
  bool ok = walk_value(walk, token, begin);
  walk->segment = segment;
  return ok;
}

static bool walk_object(struct walk *walk)
{
  struct ba_json_scanner *scanner = &walk->scanner;
  enum ba_json_token token;
  while((token = ba_json_next(scanner)) == BA_JSON_KEY) {
    if(!walk_member(walk, same_segment(walk->segment, scanner->string, scanner->length)))
      return false;
  }
  return token == BA_JSON_OBJECT_END;
}

static bool walk_array(struct walk *walk)
{
  unsigned depth = walk->scanner.depth;
  for(size_t index = 0;; index++) {
    if(!walk_member(walk, same_index(walk->segment, index)))
      return false;
    if(walk->scanner.depth < depth)
      return true;
  }
}

/* Recurses once per segment of the path, which is ours, not the peer's. */
static bool walk_value(struct walk *walk, enum ba_json_token token, const char *begin)
{
  if(*walk->segment == '\0')
    return take_value(walk, token, begin);
  /* a repeated key that leads nowhere undoes what an earlier one had */
  walk->found = false;
  walk->out[0] = '\0';
  if(token == BA_JSON_OBJECT)
    return walk_object(walk);
  if(token == BA_JSON_ARRAY)
    return walk_array(walk);
  return skip_value(&walk->scanner, token);
}

bool ba_json_string_at(const char *json, size_t length, const char *path, char *out,
                       size_t out_size)
{
  if(out_size == 0)
    return false;
  struct ba_buffer scratch;
  ba_buffer_init(&scratch, BA_JSON_MAX_BYTES);
  struct walk walk = {.segment = path, .out = out, .out_size = out_size};
  ba_json_scanner_init(&walk.scanner, json, length, 0, &scratch);
  out[0] = '\0';
  bool whole = walk_value(&walk, ba_json_next(&walk.scanner), json) &&
               ba_json_next(&walk.scanner) == BA_JSON_END;
  ba_buffer_wipe(&scratch); /* it may have held a token */
  if(!whole || !walk.found)
    out[0] = '\0';
  return whole && walk.found;
}
