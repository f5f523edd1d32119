/* A scanner at its beginning, and at its end when the text is none: where, and
 * what was expected there. */
#include "batchapi/json_scan.h"

void ba_json_scanner_init(struct ba_json_scanner *scanner, const char *bytes, size_t length,
                          unsigned max_depth, struct ba_buffer *scratch)
{
  scanner->string = NULL;
  scanner->length = 0;
  scanner->start = scanner->at = bytes;
  scanner->end = bytes + length;
  scanner->scratch = scratch;
  scanner->mends = NULL;
  scanner->depth = 0;
  scanner->max_depth = max_depth ? max_depth : BA_JSON_DEFAULT_DEPTH;
  if(scanner->max_depth > BA_JSON_MAX_DEPTH)
    scanner->max_depth = BA_JSON_MAX_DEPTH;
  scanner->expect = BA_EXPECT_VALUE;
  scanner->inside[0] = BA_EXPECT_NOTHING;
  scanner->error.kind = BA_OK;
}

size_t ba_json_offset(const struct ba_json_scanner *scanner)
{
  return (size_t)(scanner->at - scanner->start) + 1;
}

/* ---- failures ---------------------------------------------------------- */

/* From here on the text is not looked at any more: it may be gone. */
static enum ba_json_token failed(struct ba_json_scanner *scanner)
{
  scanner->expect = BA_EXPECT_FAILURE;
  scanner->end = scanner->at;
  return BA_JSON_FAILED;
}

static void explain(struct ba_json_scanner *scanner, const char *want)
{
  if(scanner->at == scanner->end) {
    ba_error_set(&scanner->error, BA_DECODE, NULL, "the text ends where %s is due (byte %zu)", want,
                 ba_json_offset(scanner));
    return;
  }
  unsigned char byte = (unsigned char)*scanner->at;
  ba_error_set(&scanner->error, BA_DECODE, NULL,
               byte > 0x20 && byte < 0x7F ? "expected %s at byte %zu, found '%c'"
                                          : "expected %s at byte %zu, found byte 0x%02X",
               want, ba_json_offset(scanner), byte);
}

enum ba_json_token ba_json_fail_expecting(struct ba_json_scanner *scanner, const char *at)
{
  static const char *const wanted[] = {
      [BA_EXPECT_VALUE] = "a value",
      [BA_EXPECT_ELEMENT_OR_END] = "a value or ']'",
      [BA_EXPECT_KEY] = "a key in quotes",
      [BA_EXPECT_KEY_OR_END] = "a key in quotes or '}'",
      [BA_EXPECT_COMMA_OR_BRACKET] = "',' or ']'",
      [BA_EXPECT_COMMA_OR_BRACE] = "',' or '}'",
      [BA_EXPECT_NOTHING] = "the end of the text",
  };
  scanner->at = at;
  if(scanner->expect != BA_EXPECT_FAILURE)
    explain(scanner, wanted[scanner->expect]);
  return failed(scanner);
}

enum ba_json_token ba_json_text_ends(struct ba_json_scanner *scanner, const char *at)
{
  if(scanner->expect != BA_EXPECT_NOTHING)
    return ba_json_fail_expecting(scanner, at);
  scanner->at = at;
  return BA_JSON_END;
}

enum ba_json_token ba_json_fail_depth(struct ba_json_scanner *scanner, const char *at)
{
  scanner->at = at;
  ba_error_set(&scanner->error, BA_DECODE, "depth", "more than %u levels deep at byte %zu",
               scanner->max_depth, ba_json_offset(scanner));
  return failed(scanner);
}

/* The strings' and numbers' readers do not know where the document begins:
 * the byte's number is added to their message here. */
enum ba_json_token ba_json_fail_inside(struct ba_json_scanner *scanner)
{
  if(scanner->error.kind == BA_DECODE) {
    struct ba_error inner = scanner->error;
    ba_error_set(&scanner->error, BA_DECODE, inner.code, "%s at byte %zu", inner.message,
                 ba_json_offset(scanner));
  }
  return failed(scanner);
}
