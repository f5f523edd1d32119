#include "json/fields.h"

#include "batchapi/json.h"

#include <string.h>

enum { SCRATCH_SLACK = 256 }; /* the scanner copies in blocks */

/* Where the walk stands: how many containers are open, and whether the
 * innermost one is the object that is asked for. */
struct walk {
  const char *within;
  struct ba_field *fields;
  size_t count;
  unsigned depth;      /* open containers */
  unsigned target;     /* depth at which the fields are: 1 or 2 */
  bool inside;         /* the object at `target` is open and is the one */
  bool entered;        /* it has been found */
  bool enter;          /* the next value is the member `within` */
  struct ba_field *at; /* the field whose value comes next, or NULL */
};

static bool same_text(const char *name, const char *text, size_t length)
{
  return strlen(name) == length && memcmp(name, text, length) == 0;
}

static void take_key(struct walk *walk, const char *key, size_t length)
{
  walk->at = NULL;
  walk->enter = walk->within && walk->depth == 1 && same_text(walk->within, key, length);
  if(!walk->inside || walk->depth != walk->target)
    return;
  for(size_t i = 0; i < walk->count; i++) {
    if(same_text(walk->fields[i].name, key, length))
      walk->at = &walk->fields[i];
  }
}

/* The value of a field that is asked for. */
static bool take_value(struct ba_field *field, enum ba_json_token token,
                       const struct ba_json_scanner *scanner, struct ba_error *err)
{
  if(field->type != BA_FIELD_ABSENT)
    return ba_error_set(err, BA_DECODE, "duplicate", "the field %s is there twice", field->name);
  switch(token) {
  case BA_JSON_STRING:
    field->type = BA_FIELD_STRING;
    return ba_buffer_append(&field->text, scanner->string, scanner->length, err);
  case BA_JSON_INTEGER:
    field->type = BA_FIELD_NUMBER;
    field->number = (double)scanner->integer;
    return true;
  case BA_JSON_FLOAT:
    field->type = BA_FIELD_NUMBER;
    field->number = scanner->number;
    return true;
  case BA_JSON_NULL:
    return true;
  default:
    field->type = BA_FIELD_OTHER;
    return true;
  }
}

static bool take_token(struct walk *walk, enum ba_json_token token,
                       const struct ba_json_scanner *scanner, struct ba_error *err)
{
  if(token == BA_JSON_KEY) {
    take_key(walk, scanner->string, scanner->length);
    return true;
  }
  bool closes = token == BA_JSON_ARRAY_END || token == BA_JSON_OBJECT_END;
  if(closes) {
    walk->inside = walk->inside && walk->depth != walk->target;
    walk->depth--;
    walk->at = NULL;
    return true;
  }
  bool ok = !walk->at || take_value(walk->at, token, scanner, err);
  walk->at = NULL;
  if(token == BA_JSON_OBJECT || token == BA_JSON_ARRAY) {
    walk->depth++;
    if(token == BA_JSON_OBJECT && walk->depth == walk->target && (!walk->within || walk->enter)) {
      if(walk->entered)
        ok = ba_error_set(err, BA_DECODE, "duplicate", "the field %s is there twice", walk->within);
      walk->inside = walk->entered = true;
    }
  }
  walk->enter = false;
  return ok;
}

bool ba_fields_read(const char *json, size_t length, const char *within, struct ba_field *fields,
                    size_t count, struct ba_error *err)
{
  struct walk walk = {.within = within, .fields = fields, .count = count, .target = within ? 2 : 1};
  for(size_t i = 0; i < count; i++)
    ba_buffer_init_secret(&fields[i].text, length + 1);
  struct ba_buffer scratch;
  ba_buffer_init_secret(&scratch, length + SCRATCH_SLACK);
  struct ba_json_scanner scanner;
  ba_json_scanner_init(&scanner, json, length, BA_FIELDS_DEPTH, &scratch);
  bool ok = true, first = true;
  enum ba_json_token token;
  while(ok && (token = ba_json_next(&scanner)) > BA_JSON_END) {
    if(first && token != BA_JSON_OBJECT)
      ok = ba_error_set(err, BA_DECODE, "json", "not a JSON object");
    first = false;
    ok = ok && take_token(&walk, token, &scanner, err);
  }
  if(ok && token == BA_JSON_FAILED)
    ok =
        scanner.error.kind == BA_NOMEM
            ? ba_error_nomem(err)
            : ba_error_set(err, BA_DECODE, "json", "not JSON (byte %zu)", ba_json_offset(&scanner));
  ba_buffer_free(&scratch);
  return ok;
}

void ba_fields_free(struct ba_field *fields, size_t count)
{
  for(size_t i = 0; i < count; i++)
    ba_buffer_free(&fields[i].text);
}
