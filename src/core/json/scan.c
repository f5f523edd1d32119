#include "batchapi/json_scan.h"

/* ---- tokens ------------------------------------------------------------ */

enum ba_json_token ba_json_read_key(struct ba_json_scanner *scanner)
{
  const char *at = scanner->at;
  if(!ba_json_string(scanner, at) && !ba_json_mend_string(scanner, at))
    return ba_json_fail_inside(scanner);
  scanner->at = ba_json_skip_space(scanner->at, scanner->end);
  if(scanner->at == scanner->end || *scanner->at != ':') {
    ba_error_set(&scanner->error, BA_DECODE, NULL, "expected ':' after a key");
    return ba_json_fail_inside(scanner);
  }
  scanner->at++;
  scanner->expect = BA_EXPECT_VALUE;
  return BA_JSON_KEY;
}

enum ba_json_token ba_json_next(struct ba_json_scanner *scanner)
{
  enum ba_json_token token = ba_json_step(scanner);
  if(token == BA_JSON_VALUE)
    return ba_json_value(scanner);
  return token == BA_JSON_KEY ? ba_json_read_key(scanner) : token;
}
