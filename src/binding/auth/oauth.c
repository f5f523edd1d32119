/* core.pkce: the random values of an authorization request, for
 * lua/batchapi/oauth.lua. */
#include "binding/base/binding.h"

#include "batchapi/base64.h"
#include "batchapi/crypto.h"
#include "batchapi/error.h"

#include <string.h>

enum { VERIFIER_BYTES = 32, STATE_BYTES = 24, TEXT_MAX = 64 };

static bool random_text(size_t bytes, struct ba_buffer *out, struct ba_error *err)
{
  unsigned char random[VERIFIER_BYTES];
  return ba_random(random, bytes, err) && ba_base64url_encode(out, random, bytes, err);
}

/* The S256 challenge of a verifier (RFC 7636, 4.2). */
static bool challenge_of(const struct ba_buffer *verifier, struct ba_buffer *out,
                         struct ba_error *err)
{
  unsigned char digest[BA_SHA256_SIZE];
  return ba_sha256(verifier->bytes, verifier->length, digest, err) &&
         ba_base64url_encode(out, digest, sizeof(digest), err);
}

/* Into three arrays, so that nothing is owned when Lua takes them over. */
static bool make(char texts[3][TEXT_MAX], struct ba_error *err)
{
  struct ba_buffer parts[3];
  for(int i = 0; i < 3; i++)
    ba_buffer_init_secret(&parts[i], TEXT_MAX - 1);
  bool ok = random_text(VERIFIER_BYTES, &parts[0], err) &&
            challenge_of(&parts[0], &parts[1], err) && random_text(STATE_BYTES, &parts[2], err);
  for(int i = 0; i < 3; i++) {
    if(ok)
      memcpy(texts[i], parts[i].bytes, parts[i].length + 1);
    ba_buffer_free(&parts[i]);
  }
  return ok;
}

/* core.pkce() -> code_verifier, code_challenge, state   [-0, +3, e] */
static int pkce(lua_State *L)
{
  char texts[3][TEXT_MAX];
  struct ba_error err = {0};
  if(!make(texts, &err))
    return ba_fail(L, &err);
  for(int i = 0; i < 3; i++)
    lua_pushstring(L, texts[i]);
  return 3;
}

void ba_open_oauth(lua_State *L)
{
  lua_pushcfunction(L, pkce);
  lua_setfield(L, -2, "pkce");
}
