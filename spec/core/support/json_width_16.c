#include "json_width.h"

#undef BA_JSON_WIDTH /* a build may ask for fewer, too */
#define BA_JSON_WIDTH 16
#define ba_json_read_string read_string_by_16
#define ba_json_read_rest read_rest_by_16
#include "json/unescape.c"
