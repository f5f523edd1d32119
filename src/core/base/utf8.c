#include "batchapi/utf8.h"

unsigned ba_utf8_sequence(const unsigned char *at, const unsigned char *end)
{
  size_t left = (size_t)(end - at);
  unsigned char lead = left ? at[0] : 0xFF;
  if(lead < 0x80)
    return 1;
  if(lead < 0xC2)
    return 0;
  if(lead < 0xE0)
    return left >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
  if(lead < 0xF0) {
    if(left < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
      return 0;
    if((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F))
      return 0;
    return 3;
  }
  if(lead > 0xF4 || left < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 ||
     (at[3] & 0xC0) != 0x80)
    return 0;
  if((lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
    return 0;
  return 4;
}
