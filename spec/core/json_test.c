/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/buffer.h"
#include "batchapi/json.h"
#include "batchapi/json_scan.h"
#include "support/json_width.h"

#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIXTURES "spec/fixtures/json"

/* ---- input whose end is the end of the readable memory --------------------- */

struct guarded {
  char *map;
  size_t size;
  char *bytes; /* `length` of them, and behind them nothing may be read */
};

static struct guarded guard(const char *bytes, size_t length)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  struct guarded guarded = {.size = (length / page + 2) * page};
  guarded.map =
      mmap(NULL, guarded.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(guarded.map != MAP_FAILED);
  char *end = guarded.map + guarded.size - page;
  assert_int_equal(mprotect(end, page, PROT_NONE), 0);
  guarded.bytes = end - length;
  if(length)
    memcpy(guarded.bytes, bytes, length);
  return guarded;
}

static void unguard(struct guarded *guarded)
{
  munmap(guarded->map, guarded->size);
}

static enum ba_json_token scan(const char *bytes, size_t length, struct ba_json_scanner *scanner)
{
  struct ba_buffer scratch;
  struct guarded guarded = guard(bytes, length);
  enum ba_json_token token;
  ba_buffer_init(&scratch, BA_JSON_MAX_BYTES);
  ba_json_scanner_init(scanner, guarded.bytes, length, 0, &scratch);
  do
    token = ba_json_next(scanner);
  while(token > BA_JSON_END);
  ba_buffer_free(&scratch);
  unguard(&guarded);
  return token;
}

static char *read_file(const char *name, size_t *length)
{
  char path[512];
  snprintf(path, sizeof(path), FIXTURES "/%s", name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *bytes = malloc(1 << 18);
  *length = fread(bytes, 1, 1 << 18, file);
  fclose(file);
  return bytes;
}

static void never_reads_past_the_end(void **state)
{
  (void)state;
  DIR *directory = opendir(FIXTURES);
  assert_non_null(directory);
  struct dirent *entry;
  struct ba_json_scanner scanner;
  int passed = 0, failed = 0;
  while((entry = readdir(directory))) {
    size_t length;
    if(entry->d_name[0] == '.')
      continue;
    char *bytes = read_file(entry->d_name, &length);
    enum ba_json_token token = scan(bytes, length, &scanner);
    if(strncmp(entry->d_name, "pass_", 5) == 0) {
      assert_int_equal(token, BA_JSON_END);
      passed++;
    } else if(strncmp(entry->d_name, "fail_", 5) == 0) {
      assert_int_equal(token, BA_JSON_FAILED);
      assert_int_equal(scanner.error.kind, BA_DECODE);
      failed++;
    }
    /* and every beginning of it */
    for(size_t cut = 0; cut < length && cut < 120; cut++)
      scan(bytes, cut, &scanner);
    free(bytes);
  }
  closedir(directory);
  assert_true(passed >= 100 && failed >= 200);
}

static void gives_tokens_in_order(void **state)
{
  (void)state;
  static const char text[] = " {\"a\":[1,-2.5,true,false,null],\"\\u0062\":{}} ";
  static const enum ba_json_token expected[] = {
      BA_JSON_OBJECT, BA_JSON_KEY,        BA_JSON_ARRAY,      BA_JSON_INTEGER,   BA_JSON_FLOAT,
      BA_JSON_TRUE,   BA_JSON_FALSE,      BA_JSON_NULL,       BA_JSON_ARRAY_END, BA_JSON_KEY,
      BA_JSON_OBJECT, BA_JSON_OBJECT_END, BA_JSON_OBJECT_END, BA_JSON_END,       BA_JSON_END};
  struct ba_buffer scratch;
  struct ba_json_scanner scanner;
  ba_buffer_init(&scratch, 1000);
  ba_json_scanner_init(&scanner, text, strlen(text), 0, &scratch);
  for(size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
    assert_int_equal(ba_json_next(&scanner), expected[i]);
    if(i == 3)
      assert_int_equal(scanner.integer, 1);
    if(i == 4)
      assert_true(scanner.number == -2.5);
    if(i == 1 || i == 9) {
      assert_int_equal(scanner.length, 1);
      assert_int_equal(scanner.string[0], i == 1 ? 'a' : 'b');
    }
  }
  ba_buffer_free(&scratch);
}

static void stays_failed(void **state)
{
  (void)state;
  struct ba_json_scanner scanner;
  assert_int_equal(scan("[1,]", 4, &scanner), BA_JSON_FAILED);
  assert_int_equal(ba_json_next(&scanner), BA_JSON_FAILED);
  assert_int_equal(ba_json_offset(&scanner), 4);
}

/* A key that is guessed is taken as if it had been read, however much of the
 * text is there. */
static void takes_a_known_key(void **state)
{
  (void)state;
  static const char text[] = "{\"prompt_tokens\":1}";
  static const char *const guesses[] = {
      "prompt_tokens", "prompt_token", "prompt_tokenz", "prompt_tokens\"", "p", "xrompt_tokens"};
  for(size_t length = 2; length < sizeof(text); length++) {
    struct guarded guarded = guard(text, length);
    for(size_t i = 0; i < sizeof(guesses) / sizeof(*guesses); i++) {
      struct ba_json_scanner scanner;
      ba_json_scanner_init(&scanner, guarded.bytes, length, 0, NULL);
      assert_int_equal(ba_json_next(&scanner), BA_JSON_OBJECT);
      assert_int_equal(ba_json_step(&scanner), BA_JSON_KEY);
      bool taken = ba_json_take_key(&scanner, guesses[i], strlen(guesses[i]));
      assert_int_equal(taken, i == 0 && length > strlen("{\"prompt_tokens\""));
      if(!taken) {
        bool whole = length > strlen("{\"prompt_tokens\"");
        assert_int_equal(ba_json_read_key(&scanner), whole ? BA_JSON_KEY : BA_JSON_FAILED);
      } else {
        assert_int_equal(ba_json_offset(&scanner), strlen("{\"prompt_tokens\":") + 1);
      }
    }
    unguard(&guarded);
  }
}

static void keeps_to_the_scratch_cap(void **state)
{
  (void)state;
  struct ba_buffer scratch;
  struct ba_json_scanner scanner;
  char text[600] = "\"\\n";
  memset(text + 3, 'x', 500);
  text[503] = '"';
  ba_buffer_init(&scratch, 100);
  ba_json_scanner_init(&scanner, text, 504, 0, &scratch);
  assert_int_equal(ba_json_next(&scanner), BA_JSON_FAILED);
  assert_int_equal(scanner.error.kind, BA_TOO_LARGE);
  ba_buffer_free(&scratch);
}

/* ---- allocation -------------------------------------------------------------- */

static int until_failure;
static size_t alive;

static void *failing_resize(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    alive -= block != NULL;
    free(block);
    return NULL;
  }
  if(until_failure-- == 0)
    return NULL;
  void *new_block = realloc(block, size);
  alive += block == NULL;
  return new_block;
}

static bool everything(struct ba_error *err)
{
  static const char text[] =
      "{\"a\":\"\\n\",\"b\":[0.1234567890123456789012345678901234567890123456789012345678901234567]"
      "}";
  struct ba_buffer scratch, out;
  struct ba_json_scanner scanner;
  enum ba_json_token token;
  ba_buffer_init(&scratch, 10000);
  ba_buffer_init(&out, 10000);
  ba_json_scanner_init(&scanner, text, strlen(text), 0, &scratch);
  do
    token = ba_json_next(&scanner);
  while(token > BA_JSON_END);
  char big[1000];
  memset(big, '\n', sizeof(big));
  *err = scanner.error;
  bool ok = token == BA_JSON_END && ba_json_append_string(&out, big, sizeof(big), err) &&
            ba_json_append_string(&out, big, sizeof(big), err);
  ba_buffer_free(&scratch);
  ba_buffer_free(&out);
  return ok;
}

static void survives_every_failed_allocation(void **state)
{
  (void)state;
  const struct ba_allocator failing = {failing_resize, NULL};
  struct ba_error err;
  int failures = 0;
  ba_alloc_hook(&failing);
  for(;; failures++) {
    until_failure = failures;
    bool ok = everything(&err);
    if(!ok)
      assert_int_equal(err.kind, BA_NOMEM);
    assert_int_equal(alive, 0);
    if(ok)
      break;
  }
  ba_alloc_hook(NULL);
  assert_true(failures >= 4);
}

/* ---- text -------------------------------------------------------------------- */

static void appends_every_length_and_offset(void **state)
{
  (void)state;
  char text[100], expected[256];
  for(size_t length = 0; length < sizeof(text); length++) {
    for(size_t special = 0; special <= length; special++) {
      memset(text, 'a', sizeof(text));
      if(special < length)
        text[special] = '"';
      struct guarded guarded = guard(text, length);
      struct ba_buffer out;
      struct ba_error err;
      ba_buffer_init(&out, 1000);
      assert_true(ba_json_append_string(&out, guarded.bytes, length, &err));
      int size = special < length
                     ? snprintf(expected, sizeof(expected), "\"%.*s\\\"%.*s\"", (int)special, text,
                                (int)(length - special - 1), text + special + 1)
                     : snprintf(expected, sizeof(expected), "\"%.*s\"", (int)length, text);
      assert_int_equal(out.length, size);
      assert_string_equal(out.bytes, expected);
      ba_buffer_free(&out);
      unguard(&guarded);
    }
  }
}

struct read {
  bool ok;
  size_t at, length;
  struct ba_buffer scratch;
  const char *string;
  struct ba_error err;
};

static struct read read_one(read_string *reader, const char *bytes, size_t length)
{
  struct read read = {.err = {.kind = BA_OK}};
  const char *at = bytes;
  ba_buffer_init(&read.scratch, BA_JSON_MAX_BYTES);
  read.ok = reader(&at, bytes + length, &read.scratch, &read.string, &read.length, &read.err);
  read.at = (size_t)(at - bytes);
  return read;
}

static read_string *const readers[] = {ba_json_read_string, read_string_by_16, read_string_by_1};
enum { READERS = 3 };

/* All read the same, and none beyond the end. Was it a string? */
static bool read_alike(const char *bytes, size_t length)
{
  struct guarded guarded = guard(bytes, length);
  struct read first = read_one(readers[0], guarded.bytes, length);
  bool ok = first.ok;
  for(int i = 1; i < READERS; i++) {
    struct read other = read_one(readers[i], guarded.bytes, length);
    assert_int_equal(other.ok, ok);
    assert_int_equal(other.at, first.at);
    if(ok) {
      assert_int_equal(other.length, first.length);
      assert_memory_equal(other.string, first.string, first.length);
    } else {
      assert_int_equal(other.err.kind, BA_DECODE);
      assert_string_equal(other.err.message, first.err.message);
    }
    ba_buffer_free(&other.scratch);
  }
  ba_buffer_free(&first.scratch);
  unguard(&guarded);
  return ok;
}

static void reads_an_escape_at_every_place(void **state)
{
  (void)state;
  static const struct {
    const char *source, *text;
  } escapes[] = {
      {"\\n", "\n"},    {"\\n\\n", "\n\n"},      {"\\\"", "\""}, {"\\\\\\\\", "\\\\"},
      {"\\u00e9", "é"}, {"\\ud83d\\ude00", "😀"}, {"é", "é"},     {"\\n\\u000aé\\/", "\n\né/"}};
  char source[200], text[200], plain[100];
  memset(plain, 'x', sizeof(plain));
  for(size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
    /* an escape before it, since the first is found another way; and bytes
     * behind the string, since the last are read one by one */
    for(int before = 0; before < 70; before++) {
      for(int after = 0; after < 70; after += 3) {
        int size = snprintf(source, sizeof(source), "\\t%.*s%s%.*s\"", before, plain,
                            escapes[i].source, after, plain);
        int length = snprintf(text, sizeof(text), "\t%.*s%s%.*s", before, plain, escapes[i].text,
                              after, plain);
        memset(source + size, ' ', sizeof(source) - (size_t)size);
        for(int reader = 0; reader < READERS; reader++) {
          struct read read = read_one(readers[reader], source, sizeof(source));
          assert_true(read.ok);
          assert_int_equal(read.at, size);
          assert_int_equal(read.length, length);
          assert_memory_equal(read.string, text, length);
          ba_buffer_free(&read.scratch);
        }
      }
    }
  }
}

static void reads_alike_on_every_processor(void **state)
{
  (void)state;
  static const char *const parts[] = {
      "x", "some words ", "\\n", "\\n\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00", "é", "你好",
      "a run of plain bytes that is longer than two blocks of 32, as most of an answer's text is",
      /* seldom: where it ends or fails */
      "\"", "\x01", "\\x", "\\u12", "\\ud800", "\xC3", "\xFF"};
  enum { PARTS = sizeof(parts) / sizeof(*parts), GOOD = 11 };
  static char bytes[12000];
  uint64_t random = 88172645463325252u;
  int strings = 0, failures = 0;
  for(int i = 0; i < 6000; i++) {
    size_t length = 0, wanted = i % 20 ? random % 300 : 4000 + random % 6000;
    while(length < wanted) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      const char *part = parts[(random >> 20) % (random % (wanted / 4 + 8) ? GOOD : PARTS)];
      size_t size = strlen(part);
      memcpy(bytes + length, part, size);
      length += size;
    }
    if(random & 1 << 30)
      bytes[length++] = '"';
    if(read_alike(bytes, length))
      strings++;
    else
      failures++;
  }
  assert_true(strings > 1500 && failures > 1500);
}

static void knows_utf8(void **state)
{
  (void)state;
  /* every lead with every second byte, the rest valid: against the table of
   * RFC 3629, section 4 */
  for(unsigned lead = 0; lead < 256; lead++) {
    for(unsigned second = 0; second < 256; second++) {
      unsigned char bytes[4] = {(unsigned char)lead, (unsigned char)second, 0x80, 0x80};
      bool tail = second >= 0x80 && second <= 0xBF;
      unsigned expected = 0;
      if(lead < 0x80)
        expected = 1;
      else if(lead >= 0xC2 && lead <= 0xDF)
        expected = tail ? 2 : 0;
      else if(lead >= 0xE0 && lead <= 0xEF)
        expected =
            tail && !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F) ? 3 : 0;
      else if(lead >= 0xF0 && lead <= 0xF4)
        expected =
            tail && !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F) ? 4 : 0;
      assert_int_equal(ba_utf8_sequence(bytes, bytes + 4), expected);
      for(unsigned cut = 0; cut < expected; cut++)
        assert_int_equal(ba_utf8_sequence(bytes, bytes + cut), 0);
    }
  }
}

/* ---- numbers ----------------------------------------------------------------- */

static double read_back(const char *text, size_t length)
{
  int64_t integer;
  double number;
  struct ba_error err;
  const char *at = text;
  enum ba_json_token token = ba_json_read_number(&at, text + length, &integer, &number, &err);
  assert_true(token == BA_JSON_INTEGER || token == BA_JSON_FLOAT);
  assert_ptr_equal(at, text + length);
  return token == BA_JSON_INTEGER ? (double)integer : number;
}

static void check_double(double value)
{
  char text[BA_JSON_NUMBER_MAX], longest[64];
  size_t length = ba_json_format_double(text, value);
  assert_true(length > 0 && length <= sizeof(text));
  assert_true(read_back(text, length) == value);
  /* as the C library reads it, too */
  memcpy(longest, text, length);
  longest[length] = '\0';
  assert_true(strtod(longest, NULL) == value);
}

static void writes_doubles_that_read_back(void **state)
{
  (void)state;
  uint64_t bits = 88172645463325252u;
  for(int i = 0; i < 300000; i++) {
    double value;
    bits ^= bits << 13;
    bits ^= bits >> 7;
    bits ^= bits << 17;
    memcpy(&value, &bits, sizeof(value));
    if(isfinite(value))
      check_double(value);
    check_double((double)(int64_t)(bits >> 20) / 1000);
    check_double((double)(float)((double)(bits >> 40) / 1e7));
  }
  static const double edges[] = {0.0,
                                 -0.0,
                                 5e-324,
                                 2.2250738585072014e-308,
                                 1.7976931348623157e308,
                                 9007199254740992.0,
                                 9007199254740993.0,
                                 1e22,
                                 1e23,
                                 1e-5,
                                 9.999e-6,
                                 123456789012345678.0,
                                 0.3,
                                 0.1,
                                 1.0 / 3.0,
                                 4.35,
                                 1e15 + 0.5};
  for(size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++)
    check_double(edges[i]);
}

static void writes_every_edge_of_integers(void **state)
{
  (void)state;
  static const int64_t edges[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN, INT64_MIN + 1};
  char text[BA_JSON_NUMBER_MAX + 1], expected[32];
  for(size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++) {
    text[ba_json_format_integer(text, edges[i])] = '\0';
    snprintf(expected, sizeof(expected), "%lld", (long long)edges[i]);
    assert_string_equal(text, expected);
  }
}

static void reads_the_nearest_double(void **state)
{
  (void)state;
  uint64_t bits = 42;
  char text[64];
  for(int i = 0; i < 200000; i++) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    int length = snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)(bits >> 40),
                          (unsigned long long)(bits & 0xFFFFFFF), (int)(bits >> 20 & 63) - 32);
    assert_true(read_back(text, (size_t)length) == strtod(text, NULL));
  }
}

/* A locale with a comma, made here from the system's sources if there are any. */
static void ignores_the_locale(void **state)
{
  (void)state;
  char directory[] = "/tmp/batchapi-locale-XXXXXX", command[256];
  assert_non_null(mkdtemp(directory));
  snprintf(command, sizeof(command), "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
           directory);
  bool made = system(command) == 0;
  setenv("LOCPATH", directory, 1);
  bool set = made && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
  char text[BA_JSON_NUMBER_MAX + 1], comma[16];
  snprintf(comma, sizeof(comma), "%.1f", 0.5);
  text[ba_json_format_double(text, 1.0 / 3.0 * 1e-9)] = '\0';
  double number = read_back("3.333333333333333e-10", 21);
  setlocale(LC_ALL, "C");
  unsetenv("LOCPATH");
  snprintf(command, sizeof(command), "rm -r %s", directory);
  assert_int_equal(system(command), 0);
  if(!set)
    skip();
  assert_string_equal(comma, "0,5");
  assert_string_equal(text, "3.333333333333333e-10");
  assert_true(number == 1.0 / 3.0 * 1e-9);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(never_reads_past_the_end),
      cmocka_unit_test(gives_tokens_in_order),
      cmocka_unit_test(stays_failed),
      cmocka_unit_test(takes_a_known_key),
      cmocka_unit_test(keeps_to_the_scratch_cap),
      cmocka_unit_test(survives_every_failed_allocation),
      cmocka_unit_test(appends_every_length_and_offset),
      cmocka_unit_test(reads_an_escape_at_every_place),
      cmocka_unit_test(reads_alike_on_every_processor),
      cmocka_unit_test(knows_utf8),
      cmocka_unit_test(writes_doubles_that_read_back),
      cmocka_unit_test(writes_every_edge_of_integers),
      cmocka_unit_test(reads_the_nearest_double),
      cmocka_unit_test(ignores_the_locale),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
