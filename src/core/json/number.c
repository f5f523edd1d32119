#include "batchapi/json.h"

#include "batchapi/alloc.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_53 9007199254740992.0 /* up to here every whole number is a double */

/* The powers of ten that are doubles exactly. A product or quotient of two
 * exact doubles is rounded once, so it is the nearest double to the true value
 * (W. Clinger, "How to read floating point numbers accurately", 1990). */
static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWER_MAX = 22 };

/* A host may have set a locale whose decimal point is a comma. */
static locale_t c_locale;

static void make_c_locale(void)
{
  c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static double parse_double(const char *text)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_c_locale);
  locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0; /* this thread's alone */
  double value = strtod(text, NULL);
  if(before)
    uselocale(before);
  return value;
}

/* ---- reading ----------------------------------------------------------- */

struct decimal {
  uint64_t mantissa; /* the digits without the point, unless `long_digits` */
  int64_t exponent;  /* of ten */
  bool negative, whole, long_digits;
};

static inline bool is_digit(const char *at, const char *end)
{
  return at < end && *at >= '0' && *at <= '9';
}

static const char *take_digits(struct decimal *decimal, const char *at, const char *end,
                               int exponent_step)
{
  uint64_t mantissa = decimal->mantissa;
  for(; is_digit(at, end); at++) {
    if(mantissa > (UINT64_MAX - 9) / 10)
      decimal->long_digits = true;
    else
      mantissa = mantissa * 10 + (uint64_t)(*at - '0');
    decimal->exponent += exponent_step;
  }
  decimal->mantissa = mantissa;
  return at;
}

/* The exponent behind 'e', kept within what int64_t holds. */
static const char *take_exponent(struct decimal *decimal, const char *at, const char *end)
{
  bool negative = at < end && *at == '-';
  if(at < end && (*at == '-' || *at == '+'))
    at++;
  if(!is_digit(at, end))
    return NULL;
  int64_t exponent = 0;
  for(; is_digit(at, end); at++) {
    if(exponent < 100000000)
      exponent = exponent * 10 + (*at - '0');
  }
  decimal->exponent += negative ? -exponent : exponent;
  return at;
}

/* Checks the grammar and leaves *at behind the number, or where it breaks. */
static bool take_number(const char **at, const char *end, struct decimal *decimal,
                        struct ba_error *err)
{
  const char *p = *at;
  decimal->negative = *p == '-';
  p += decimal->negative;
  *at = p;
  if(!is_digit(p, end))
    return ba_error_set(err, BA_DECODE, NULL, "a '-' without a digit behind it");
  if(*p == '0' && is_digit(p + 1, end))
    return ba_error_set(err, BA_DECODE, NULL, "a number with a leading zero");
  p = take_digits(decimal, p, end, 0);
  if(p < end && *p == '.') {
    decimal->whole = false;
    *at = p + 1;
    if(!is_digit(p + 1, end))
      return ba_error_set(err, BA_DECODE, NULL, "a '.' without a digit behind it");
    p = take_digits(decimal, p + 1, end, -1);
  }
  if(p < end && (*p == 'e' || *p == 'E')) {
    decimal->whole = false;
    *at = p + 1;
    p = take_exponent(decimal, p + 1, end);
    if(!p)
      return ba_error_set(err, BA_DECODE, NULL, "an exponent without digits");
  }
  *at = p;
  return true;
}

/* The hard cases go to the C library, which needs a NUL behind the number. */
static bool convert_slowly(const char *text, size_t length, double *number, struct ba_error *err)
{
  char small[64];
  char *copy = small;
  if(length >= sizeof(small)) {
    copy = ba_malloc(length + 1);
    if(!copy)
      return ba_error_nomem(err);
  }
  memcpy(copy, text, length);
  copy[length] = '\0';
  *number = parse_double(copy);
  if(copy != small)
    ba_free(copy);
  if(isinf(*number))
    return ba_error_set(err, BA_DECODE, "range", "a number beyond the range of a double");
  return true;
}

/* True if the decimal is a double times or by an exact power: one rounding. */
static bool convert_quickly(const struct decimal *decimal, double *number)
{
#if FLT_EVAL_METHOD == 0
  double mantissa = (double)decimal->mantissa;
  int64_t exponent = decimal->exponent;
  if(decimal->long_digits || decimal->mantissa > (uint64_t)1 << 53 || exponent > EXACT_POWER_MAX ||
     exponent < -EXACT_POWER_MAX)
    return false;
  mantissa = exponent < 0 ? mantissa / exact_powers[-exponent] : mantissa * exact_powers[exponent];
  *number = decimal->negative ? -mantissa : mantissa;
  return true;
#else
  (void)decimal;
  (void)number;
  return false;
#endif
}

enum ba_json_token ba_json_read_number(const char **at, const char *end, int64_t *integer,
                                       double *number, struct ba_error *err)
{
  const char *text = *at;
  struct decimal decimal = {.whole = true};
  if(!take_number(at, end, &decimal, err))
    return BA_JSON_FAILED;
  if(decimal.whole && !decimal.long_digits) {
    if(!decimal.negative && decimal.mantissa <= INT64_MAX) {
      *integer = (int64_t)decimal.mantissa;
      return BA_JSON_INTEGER;
    }
    /* minus zero is a float: an integer has no such value */
    if(decimal.negative && decimal.mantissa && decimal.mantissa <= (uint64_t)INT64_MAX + 1) {
      *integer = (int64_t)(0 - decimal.mantissa);
      return BA_JSON_INTEGER;
    }
  }
  if(convert_quickly(&decimal, number) || convert_slowly(text, (size_t)(*at - text), number, err))
    return BA_JSON_FLOAT;
  *at = text;
  return BA_JSON_FAILED;
}

/* ---- writing ----------------------------------------------------------- */

static size_t format_unsigned(char *out, uint64_t value)
{
  char digits[20];
  size_t length = 0;
  do {
    digits[sizeof(digits) - ++length] = (char)('0' + value % 10);
    value /= 10;
  } while(value);
  memcpy(out, digits + sizeof(digits) - length, length);
  return length;
}

size_t ba_json_format_integer(char *out, int64_t value)
{
  if(value >= 0)
    return format_unsigned(out, (uint64_t)value);
  out[0] = '-';
  return 1 + format_unsigned(out + 1, 0 - (uint64_t)value);
}

/* Looks for the fewest decimals k with value == m / 10^k, both exact, so that
 * a correct reader comes to the same double. Covers what people write. */
static size_t format_short(char *out, double value)
{
#if FLT_EVAL_METHOD == 0
  for(int k = 1; k <= 17; k++) {
    double scaled = value * exact_powers[k];
    if(scaled >= TWO_53)
      return 0;
    uint64_t m = (uint64_t)(scaled + 0.5);
    if((double)m / exact_powers[k] != value)
      continue;
    uint64_t power = (uint64_t)exact_powers[k];
    size_t length = format_unsigned(out, m / power);
    uint64_t fraction = m % power;
    out[length] = '.';
    for(int i = k; i > 0; i--) {
      out[length + (size_t)i] = (char)('0' + fraction % 10);
      fraction /= 10;
    }
    return length + 1 + (size_t)k;
  }
#else
  (void)out;
  (void)value;
#endif
  return 0;
}

/* printf writes the locale's decimal point, which may be several bytes. */
static size_t replace_point(char *text)
{
  char *out = text;
  for(const char *at = text; *at; at++) {
    if((*at >= '0' && *at <= '9') || *at == 'e' || *at == '+' || *at == '-')
      *out++ = *at;
    else if(out[-1] != '.')
      *out++ = '.';
  }
  *out = '\0';
  return (size_t)(out - text);
}

static size_t format_with_printf(char *out, double value)
{
  char text[64];
  size_t length = 0;
  for(int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof(text), "%.*g", digits, value);
    length = replace_point(text);
    if(parse_double(text) == value)
      break;
  }
  memcpy(out, text, length);
  return length;
}

size_t ba_json_format_double(char *out, double value)
{
  if(value == 0) {
    const char *zero = signbit(value) ? "-0.0" : "0";
    memcpy(out, zero, strlen(zero));
    return strlen(zero);
  }
  double size = fabs(value);
  if(size < TWO_53 && size == (double)(uint64_t)size)
    return ba_json_format_integer(out, (int64_t)value);
  size_t sign = value < 0;
  out[0] = '-';
  if(size >= 1e-5 && size < TWO_53) {
    size_t length = format_short(out + sign, size);
    if(length)
      return sign + length;
  }
  return sign + format_with_printf(out + sign, size);
}
