#include "batchapi/alloc.h"

#include <openssl/crypto.h>

void ba_wipe(void *block, size_t size)
{
  if(block)
    OPENSSL_cleanse(block, size);
}
