rockspec_format = "3.0"
local package_version = "scm"
local rockspec_revision = "1"

package = "batchapi"
version = package_version .. "-" .. rockspec_revision

-- The repository this file lies in; a release names its own address.
source = {
  url = "git+file://.",
}

description = {
  summary = "One module for the world's batch APIs",
  detailed = [[
Hand batchapi any number of requests and get every result back: nothing lost,
nothing submitted twice, nothing read whole into memory, the host never
blocked. OpenAI, Asana, FactSet and Robotoff, their siblings, and any service
you describe in a table; in scripts, OpenResty, cqueues, luv and copas.]],
  license = "MIT",
  labels = { "http", "batch", "openai", "client", "openresty" },
}

dependencies = {
  "lua >= 5.1, < 5.5",
}

external_dependencies = {
  CURL = { library = "curl" },
  OPENSSL = { header = "openssl/evp.h" },
}

test_dependencies = {
  "busted",
}

test = {
  type = "busted",
}

-- The same sources as CMakeLists.txt: tools/check-sources compares them, and
-- tools/check-sources --write brings both up to date.
build = {
  type = "builtin",
  modules = {
    ["batchapi.core"] = {
      sources = {
        "src/binding/compat.c",
        "src/binding/credential.c",
        "src/binding/failure.c",
        "src/binding/files.c",
        "src/binding/files_path.c",
        "src/binding/json.c",
        "src/binding/json_decode.c",
        "src/binding/json_encode.c",
        "src/binding/json_sort.c",
        "src/binding/ledger.c",
        "src/binding/lines.c",
        "src/binding/module.c",
        "src/core/alloc.c",
        "src/core/attempts.c",
        "src/core/base64.c",
        "src/core/buffer.c",
        "src/core/call.c",
        "src/core/classify.c",
        "src/core/client.c",
        "src/core/clock.c",
        "src/core/credential.c",
        "src/core/credential_oauth.c",
        "src/core/crypto.c",
        "src/core/engine.c",
        "src/core/error.c",
        "src/core/fields.c",
        "src/core/files.c",
        "src/core/files_lock.c",
        "src/core/files_path.c",
        "src/core/flow.c",
        "src/core/form.c",
        "src/core/hash.c",
        "src/core/headers.c",
        "src/core/http_date.c",
        "src/core/json_number.c",
        "src/core/json_path.c",
        "src/core/json_scan.c",
        "src/core/json_text.c",
        "src/core/jwk.c",
        "src/core/jwt.c",
        "src/core/ledger.c",
        "src/core/limiter.c",
        "src/core/lines.c",
        "src/core/loop.c",
        "src/core/mailbox.c",
        "src/core/oauth.c",
        "src/core/oauth_answer.c",
        "src/core/origin.c",
        "src/core/random.c",
        "src/core/receive.c",
        "src/core/request.c",
        "src/core/retry.c",
        "src/core/secret.c",
        "src/core/send.c",
        "src/core/sink.c",
        "src/core/source.c",
        "src/core/stream.c",
        "src/core/timers.c",
        "src/core/token.c",
        "src/core/transfer.c",
        "src/core/url.c",
        "src/core/version.c",
        "src/core/webhook.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "src/core", "$(CURL_INCDIR)", "$(OPENSSL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)", "$(OPENSSL_LIBDIR)" },
      libraries = { "curl", "crypto", "pthread", "m" },
    },
    ["batchapi.version"] = "lua/batchapi/version.lua",
  },
}
