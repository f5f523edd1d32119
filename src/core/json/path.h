/* One value out of a JSON text, for the engine's error codes and tokens. */
#ifndef BA_JSON_PATH_H
#define BA_JSON_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Copies the value at `path` to `out` with a NUL: a string's text, or a number
 * as it is written. The path is keys joined with dots; where the text has an
 * array, the segment is an index from 0: "error.code", "errors.0.message".
 * A text longer than out_size - 1 is cut, never inside a UTF-8 sequence.
 * False, and an empty `out`: no such value, another type, or the document is
 * not JSON as a whole. Of repeated keys the last holds. */
bool ba_json_string_at(const char *json, size_t length, const char *path, char *out,
                       size_t out_size);

#endif
