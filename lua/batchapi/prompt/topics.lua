--- What batchapi.help says of subjects that are no function: help("errors"), help("results"). Data only.

return {
  { name = "errors", text = [[
A call that the world lets fail gives nil, message, err. err.kind is one of
  invalid     a value the service is known to refuse; nothing was sent
  auth        401, 403, or no credentials          rate_limit  429
  http        any other status of 300 and above    connect     the server cannot be reached
  tls         it is not to be trusted              timeout     a deadline, or a stall
  truncated   the answer ended early               decode      it is not what it should be
  too_large   a cap was reached                    io          a local file; err.code is the errno's name
  cancelled   closed   locked   job
err.retryable says whether the same call may succeed later, err.sent is false when nothing can have reached the server,
err.status is what a server sent, err.body its answer, err.request_id what its support asks for.
What the program does wrong (a wrong type, an unknown option, a closed client) raises at its line.]] },
  { name = "results", text = [[
for result in job:results() do … end gives one result for each request:
  custom_id, index   whose it is                     ok      it was done
  status, body       what the service answered       error   { code, message }: why not
Codes of our own: missing, unreadable, uncollected, gone, expired, cancelled, unknown_outcome, damaged.
job:results{ raw = true } adds the bytes that the service sent; job:retry() sends what failed again.]] },
  { name = "jobs", text = [[
job = client:run(requests, { dir = "nightly" }) checks, splits, submits once, and collects.
  job:wait()      until all is done                  job:submit()   until all is at the service
  job:poll()      what is due now                    job:status()   how far it is
  job:results()   one result for each request        job:retry()    what failed, again
  job:cancel()    at the service                     job:close()    lets go of it
With dir it survives the process: batchapi.resume("nightly"), batchapi.status("nightly"), batchapi.verify("nightly").]] },
  { name = "credentials", text = [[
Credentials left out are read from the variables that the service's own SDK uses: help("openai") names them.
token = function() return token, seconds end brings one of your own; api_key_file has it read from a file.
oauth = { client_id, client_secret, refresh_token } for Asana, app_config for FactSet.]] },
  { name = "hosts", text = [[
The same calls wait as their program does: they block in a script, and yield in OpenResty, cqueues, luv, copas, HAProxy,
Tarantool, Prosody and Neovim, where they are made in a coroutine. host = "block" and its like override what is found.
Many at once: batchapi.map(items, f) and batchapi.parallel(f, g), in a script too.
A loop of your own watches batchapi.fd() and calls batchapi.pump();
client:start(operation, …, callback) needs no coroutine.]] },
  { name = "json", text = [[
null in an answer is absent; batchapi.null writes one. batchapi.array{} is written as [] even when it is empty, and
batchapi.object{ { key, value } } keeps its order. Integers stay integers on Lua 5.3 and later.
require "batchapi.json" is the codec by itself, require "batchapi.jsonl" reads and writes files of lines.]] },
}
