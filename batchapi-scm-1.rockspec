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
        "src/binding/call.c",
        "src/binding/client.c",
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
        "src/binding/mailbox.c",
        "src/binding/module.c",
        "src/binding/oauth.c",
        "src/binding/options.c",
        "src/binding/outcome.c",
        "src/binding/process.c",
        "src/binding/request.c",
        "src/binding/timer.c",
        "src/binding/webhook.c",
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
        "src/core/doorbell.c",
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
        "src/core/nginx.c",
        "src/core/oauth.c",
        "src/core/oauth_answer.c",
        "src/core/origin.c",
        "src/core/random.c",
        "src/core/receive.c",
        "src/core/redirect.c",
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
    ["batchapi.changes"] = "lua/batchapi/changes.lua",
    ["batchapi.client"] = "lua/batchapi/client.lua",
    ["batchapi.codec"] = "lua/batchapi/codec.lua",
    ["batchapi.credentials"] = "lua/batchapi/credentials.lua",
    ["batchapi.definition"] = "lua/batchapi/definition.lua",
    ["batchapi.error_body"] = "lua/batchapi/error_body.lua",
    ["batchapi.errors"] = "lua/batchapi/errors.lua",
    ["batchapi.exchange"] = "lua/batchapi/exchange.lua",
    ["batchapi.failure"] = "lua/batchapi/failure.lua",
    ["batchapi.help"] = "lua/batchapi/help.lua",
    batchapi = "lua/batchapi/init.lua",
    ["batchapi.iterator"] = "lua/batchapi/iterator.lua",
    ["batchapi.lines"] = "lua/batchapi/lines.lua",
    ["batchapi.loop"] = "lua/batchapi/loop.lua",
    ["batchapi.loop.block"] = "lua/batchapi/loop/block.lua",
    ["batchapi.loop.copas"] = "lua/batchapi/loop/copas.lua",
    ["batchapi.loop.cqueues"] = "lua/batchapi/loop/cqueues.lua",
    ["batchapi.loop.luv"] = "lua/batchapi/loop/luv.lua",
    ["batchapi.loop.openresty"] = "lua/batchapi/loop/openresty.lua",
    ["batchapi.loop.scheduler"] = "lua/batchapi/loop/scheduler.lua",
    ["batchapi.merge"] = "lua/batchapi/merge.lua",
    ["batchapi.multipart"] = "lua/batchapi/multipart.lua",
    ["batchapi.oauth"] = "lua/batchapi/oauth.lua",
    ["batchapi.operation"] = "lua/batchapi/operation.lua",
    ["batchapi.options"] = "lua/batchapi/options.lua",
    ["batchapi.pages"] = "lua/batchapi/pages.lua",
    ["batchapi.parallel"] = "lua/batchapi/parallel.lua",
    ["batchapi.path"] = "lua/batchapi/path.lua",
    ["batchapi.request"] = "lua/batchapi/request.lua",
    ["batchapi.response"] = "lua/batchapi/response.lua",
    ["batchapi.services.anthropic"] = "lua/batchapi/services/anthropic.lua",
    ["batchapi.services.asana"] = "lua/batchapi/services/asana.lua",
    ["batchapi.services.azure"] = "lua/batchapi/services/azure.lua",
    ["batchapi.services.factset"] = "lua/batchapi/services/factset.lua",
    ["batchapi.services.groq"] = "lua/batchapi/services/groq.lua",
    ["batchapi.services.mistral"] = "lua/batchapi/services/mistral.lua",
    ["batchapi.services.msgraph"] = "lua/batchapi/services/msgraph.lua",
    ["batchapi.services.openai"] = "lua/batchapi/services/openai.lua",
    ["batchapi.services.robotoff"] = "lua/batchapi/services/robotoff.lua",
    ["batchapi.settings"] = "lua/batchapi/settings.lua",
    ["batchapi.show"] = "lua/batchapi/show.lua",
    ["batchapi.suggest"] = "lua/batchapi/suggest.lua",
    ["batchapi.url"] = "lua/batchapi/url.lua",
    ["batchapi.values"] = "lua/batchapi/values.lua",
    ["batchapi.version"] = "lua/batchapi/version.lua",
    ["batchapi.wait"] = "lua/batchapi/wait.lua",
    ["batchapi.webhook"] = "lua/batchapi/webhook.lua",
    ["batchapi.words"] = "lua/batchapi/words.lua",
  },
}
