#include "batchapi/http_date.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct date {
  int year, month, day, hour, minute, second;
};

static bool literal(const char **at, const char *text)
{
  size_t length = strlen(text);
  if(strncmp(*at, text, length) != 0)
    return false;
  *at += length;
  return true;
}

/* Exactly `count` digits. */
static bool number(const char **at, int count, int *out)
{
  int value = 0;
  for(int i = 0; i < count; i++, (*at)++) {
    if(**at < '0' || **at > '9')
      return false;
    value = value * 10 + (**at - '0');
  }
  *out = value;
  return true;
}

static bool month(const char **at, int *out)
{
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for(int i = 0; i < 12; i++) {
    if(strncasecmp(*at, names + (ptrdiff_t)i * 3, 3) == 0) {
      *at += 3;
      *out = i + 1;
      return true;
    }
  }
  return false;
}

static bool clock_time(const char **at, struct date *date)
{
  return number(at, 2, &date->hour) && literal(at, ":") && number(at, 2, &date->minute) &&
         literal(at, ":") && number(at, 2, &date->second);
}

static const char *after_word(const char *at)
{
  while((*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z'))
    at++;
  return at;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool imf_fixdate(const char *at, struct date *date)
{
  return number(&at, 2, &date->day) && literal(&at, " ") && month(&at, &date->month) &&
         literal(&at, " ") && number(&at, 4, &date->year) && literal(&at, " ") &&
         clock_time(&at, date) && literal(&at, " GMT") && *at == '\0';
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool rfc850(const char *at, struct date *date)
{
  return number(&at, 2, &date->day) && literal(&at, "-") && month(&at, &date->month) &&
         literal(&at, "-") && number(&at, 2, &date->year) && literal(&at, " ") &&
         clock_time(&at, date) && literal(&at, " GMT") && *at == '\0';
}

/* Sun Nov  6 08:49:37 1994 */
static bool asctime_date(const char *at, struct date *date)
{
  if(!month(&at, &date->month) || !literal(&at, " "))
    return false;
  bool day = *at == ' ' ? (at++, number(&at, 1, &date->day)) : number(&at, 2, &date->day);
  return day && literal(&at, " ") && clock_time(&at, date) && literal(&at, " ") &&
         number(&at, 4, &date->year) && *at == '\0';
}

static int64_t days_from_civil(int year, int month_number, int day)
{
  year -= month_number <= 2;
  int64_t era = year / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month_number + (month_number > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719468;
}

static int days_in(int year, int month_number)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month_number - 1] + (month_number == 2 && leap);
}

static bool in_calendar(const struct date *date)
{
  return date->year >= 1601 && date->day >= 1 && date->day <= days_in(date->year, date->month) &&
         date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

static int64_t seconds_of(const struct date *date)
{
  return days_from_civil(date->year, date->month, date->day) * 86400 + date->hour * 3600 +
         date->minute * 60 + date->second;
}

bool ba_http_date(const char *text, int64_t now, int64_t *out)
{
  struct date date = {0};
  const char *at = after_word(text);
  if(at == text)
    return false;
  bool short_year = false;
  bool ok;
  if(literal(&at, ", ")) {
    ok = imf_fixdate(at, &date);
    if(!ok) {
      ok = short_year = rfc850(at, &date);
      date.year += 2000;
    }
  } else {
    ok = literal(&at, " ") && asctime_date(at, &date);
  }
  if(!ok || !in_calendar(&date))
    return false;
  if(short_year && seconds_of(&date) - now > INT64_C(50) * 366 * 86400) {
    date.year -= 100;
    if(!in_calendar(&date)) /* 29 February of a year that had none */
      return false;
  }
  *out = seconds_of(&date);
  return true;
}
