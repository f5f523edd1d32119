#include "batchapi/random.h"

#include <limits.h>
#include <openssl/rand.h>

bool ba_random(void *out, size_t length, struct ba_error *err)
{
  if(length > INT_MAX || RAND_bytes(out, (int)length) != 1)
    return ba_error_set(err, BA_IO, "random", "the system gives no random bytes");
  return true;
}
