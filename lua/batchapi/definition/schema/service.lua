--- The words of a definition, outside of `run`: the service, its operations and their parameters. Data, in
--- the form that definition/schema/init.lua describes.

local kinds = require("batchapi.definition.kinds")

local text, flag, number, anything = kinds.text, kinds.flag, kinds.number, kinds.anything
local texts, numbers = kinds.texts, kinds.numbers
local one_of, array_of, map_of, either = kinds.one_of, kinds.array_of, kinds.map_of, kinds.either

return function(section, described)
  section("definition", "The service", {
    { "name", text, required = true, help = "short name, in messages" },
    { "title", text, help = "what it is, for help" },
    { "documentation", text, help = "where its own documentation is, for help" },
    { "extends", either(text, "string", kinds.any_table), help = "another definition, or the name of one that is "
      .. "shipped, that this one differs from: headers, query, errors, response and run are merged word by word "
      .. "(false takes one away), options and operations by name, everything else is replaced. With a base_url of "
      .. "its own it gets none of the other's environment variables, which hold that one's credentials and address" },
    { "credentials", one_of{ "inherit" }, help = "it does get them, where both are one account's; its clients say so",
      example = [[credentials = "inherit"]] },
    { "base_url", text, required = true, help = "where paths begin; {option} stands for the value of an option" },
    { "environment", text, help = "variable that overrides base_url" },
    { "base_path", text, help = "path that is added to an address that is given, in the variable or the option, without it",
      example = [[base_path = "/openai/v1"]] },
    { "auth", either(one_of{ "none" }, "string", array_of(section"way")), help = "how a request proves who sends it. "
      .. "The first way whose options are given is taken, then the first whose variables are set" },
    { "options", array_of(section"option"), help = "client options of this service beyond the general ones" },
    { "headers", map_of(text), help = "sent with every request", example = [[headers = { ["X-Client"] = "nightly" }]] },
    { "query", map_of(text), help = "sent with every request", example = [[query = { format = "json" }]] },
    { "errors", section"errors", help = "how the service says what went wrong" },
    { "response", section"response", help = "where the service puts its request id and rate limits" },
    { "limits", array_of(section"limit"), help = "up to four limits on what may be in flight, weighed by the operations" },
    { "changes", section"changes", help = "a header that announces changes, told once to the option on_change" },
    { "operations", array_of(section"operation"), required = true, help = "the calls, in the order that help shows" },
    { "wait", section"wait", help = "how client:wait watches a batch" },
    { "run", section"run", help = "how client:run submits, watches and collects" },
  })

  section("way", "A way to authenticate", {
    { "kind", one_of{ "bearer", "basic", "header", "oauth_client", "oauth_refresh" }, required = true,
      help = "a bearer token; user and password; a header of its own; a signed assertion; a refresh token" },
    { "option", text, required = true, help = "client option with the secret" },
    { "environment", text, help = "variable it is read from when absent" },
    { "user_option", text, help = "kind basic: client option with the user's name" },
    { "user_environment", text, help = "kind basic: variable with it" },
    { "header", text, help = "kind header: which" },
    { "prefix", text, help = "kind header: what stands before the secret",
      example = [[prefix = "Token "]] },
    { "token_url", text, help = "kind oauth_refresh: where tokens are had; a URL, or a path at the base URL's origin" },
    { "authorize_url", text, help = "kind oauth_refresh: where a user's browser is sent" },
    { "help", text, help = "what the secret is, for help" },
  })

  section("option", "An option of the client", {
    { 1, text, required = true, help = "its name" },
    { 2, text, required = true, help = "its type, as parameters have them" },
    { "environment", text, help = "variable it is read from when absent" },
    { "header", text, help = "header that its value goes to" },
    { "query", text, help = "query parameter that its value goes to" },
    { "default", anything, help = "its value when absent" },
    { "help", text, help = "what it does" },
    { "one_of", texts, help = "the words it may be", example = [[one_of = { "eu", "us" }]] },
    { "pattern", text, help = "Lua pattern that it must match" },
    { "pattern_help", text, help = "the pattern in words" },
    { "min", number, help = "smallest" }, { "max", number, help = "greatest", example = "max = 100" },
    { "min_length", number, help = "characters at least", example = "min_length = 8" },
    { "max_length", number, help = "characters at most", example = "max_length = 64" },
    { "items", described, help = "elements of an array" },
  })

  section("errors", "How the service says what went wrong", {
    { "code", texts, help = "paths into the answer, of which the first that is there counts; the usual shapes are "
      .. "understood without" },
    { "message", texts, help = "the same for the message" },
    { "final", texts, help = "codes that no repeat can mend although the status is 429",
      example = [[final = { "insufficient_quota" }]] },
    { "auth", numbers, help = "statuses that mean a refused credential besides 401 and 403" },
  })

  section("response", "Headers of an answer, in lower case", {
    { "request_id", texts, help = "with the request's id" },
    { "limit", texts, help = "with the requests in a window" },
    { "remaining", texts, help = "with those that are left" },
    { "reset", texts, help = "with the time until there are more" },
  })

  section("limit", "A limit", {
    { "name", text, required = true, help = "how operations name it" },
    { "in_flight", number, help = "weight at once" },
    { "per_minute", number, help = "weight in a minute", example = "per_minute = 1500" },
    { "per_minute_option", text, help = "client option that sets it" },
  })

  section("changes", "Announced changes", {
    { "header", text, required = true, help = "the header" },
    { "name", text, required = true, help = "its attribute with the flag's name" },
    { "silenced_by", texts, help = "options whose lists name flags not to be told" },
  })

  section("operation", "An operation", {
    { "name", text, required = true, help = "its method's name" },
    { "method", one_of{ "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }, required = true, help = "the HTTP method" },
    { "path", text, required = true, help = "{name} is a parameter, percent-encoded as one segment; {+name} keeps its "
      .. "slashes, and a path that is nothing but {+name} is a whole URL (the credential goes to its own origin only)" },
    { "summary", text, help = "what it does, for help" },
    { "example", text, help = "a call, for help" },
    { "parameters", array_of(section"parameter"), help = "the path's, where more than 'a string' is to be said" },
    { "query", array_of(section"parameter"), help = "those of the query" },
    { "body", section"parameter", help = "the body" },
    { "content", one_of{ "json", "multipart", "form", "bytes" }, help = "how the body is written (json); bytes: it is a "
      .. "file, sent as it is" },
    { "nesting", one_of{ "bracket", "dot" }, help = "fields within fields of a form: a[b] (the default) or a.b" },
    { "answer", one_of{ "json", "bytes", "jsonl" }, help = "what comes back (json); bytes is a file, which may go to "
      .. "{ to = path }; jsonl a file of JSON lines" },
    { "headers", map_of(text), help = "sent with it" },
    { "credential", flag, help = "false: sent without the credential", example = "credential = false" },
    { "redirects", flag, help = "true: follows redirects (the credential stays at its own origin)" },
    { "repeats", one_of{ "safe", "idempotent", "never_sent" }, help = "when a failed attempt is repeated; never_sent: "
      .. "only if surely not accepted. By method: GET and HEAD safe, PUT and DELETE idempotent, else never_sent" },
    { "repeats_if", section"repeats_if", help = "repeats so when each element of an array is as it says" },
    { "idempotency_key", text, help = "header that the service knows a repeated call by: each call sends a fresh value, "
      .. "and every failed attempt may then be repeated", example = [[idempotency_key = "Idempotency-Key"]] },
    { "unaccepted", numbers, help = "statuses that say 'not accepted', after which even never_sent is repeated (429)",
      example = "unaccepted = { 429, 503 }" },
    { "weights", array_of(section"weight"), help = "what it takes of the limits" },
    { "page", section"page", help = "how a list goes on" },
    { "remove", flag, help = "true, with extends: this service lacks the operation" },
  })

  section("repeats_if", "When a call may be repeated", {
    { "every", text, required = true, help = "path of an array in the body" },
    { "field", text, required = true, help = "path in each element" },
    { "one_of", texts, required = true, help = "what it is in each" },
    { "repeats", one_of{ "safe", "idempotent" }, required = true, help = "then the call repeats so" },
  })

  section("weight", "What a call takes of a limit", {
    { "limit", text, required = true, help = "the limit's name" },
    { "weight", number, help = "so much, or", example = "weight = 1" },
    { "count", text, help = "one for each element of the array at this path" },
    { "field", text, help = "path in each element" },
    { "one_of", texts, help = "only those whose field is one of these" },
    { "none_of", texts, help = "only those whose field is none of these" },
  })

  section("page", "How a list goes on", {
    { "items", text, required = true, help = "path of the items; '' when the answer is the array" },
    { "query", text, required = true, help = "the parameter that continues" },
    { "from", one_of{ "last_item", "answer", "number", "offset", "link" }, required = true, help = "what it is set to: "
      .. "the last item's field, the answer's field, the next page's number, the items seen so far; link: the "
      .. "answer's field is the next page's URL" },
    { "field", text, help = "path of the cursor" },
    { "last", text, help = "last_item: path, in a page without items, of what to go on from" },
    { "more", text, help = "path whose false ends the list" },
    { "total", text, help = "path of the count of all items" },
    { "size", text, help = "the parameter for the page size" },
    { "first", number, help = "number: that of the first page (1)" },
  })

  section("wait", "How a batch is watched", {
    { "operation", text, required = true, help = "gives the batch; its path's last parameter is the batch's id" },
    { "status", text, required = true, help = "path of the state" },
    { "done", texts, required = true, help = "states that are an end, in any case; every other is 'still running'" },
    { "failed", texts, help = "states in which nothing ran at all" },
    { "done_statuses", numbers, help = "HTTP statuses that mean the end when the body has no state" },
    { "pending", section"pending", help = "for a service without a state" },
    { "reasons", section"reasons", help = "where a failed batch says why" },
    { "needs", array_of(section"need"), help = "what an ended batch must name before its results can be had" },
    { "ended", text, help = "path that is there only when the work has ended",
      example = [[ended = "ended_at"]] },
    { "interval", number, help = "seconds between looks, at first" },
    { "max_interval", number, help = "seconds between looks, at most" },
  })

  section("need", "What an ended batch must name", {
    { "any", texts, required = true, help = "paths, of which one must be there" },
    { "count", text, help = "path of a number: only if it is above 0" },
  })

  section("pending", "Counts in the place of a state", {
    { "zero", text, required = true, help = "path of the count that is 0 at the end",
      example = [[zero = "counts.processing"]] },
    { "positive", text, help = "path of one that is above 0 then",
      example = [[positive = "counts.succeeded"]] },
  })

  section("reasons", "Why a batch failed", {
    { "list", text, help = "path of the array of reasons" },
    { "code", text, help = "path of the code in each" },
    { "message", text, required = true, help = "path of the message in each" },
    { "line", text, help = "path of the line of the input in each" },
  })

  local strings, arrays, maps = { "string" }, { "array" }, { "map" }
  section("parameter", "A parameter", {
    { 1, text, help = "its name" },
    { 2, text, help = "its type" },
    { "type", text, help = "the same: string, integer, number, boolean, object (fields that are known), map (free names), "
      .. "array, file (a path, or { content =, filename = }), any" },
    { "required", flag, help = "it must be given" },
    { "nullable", flag, help = "batchapi.null may stand" },
    { "help", text, help = "what it is" },
    { "example", anything, help = "a value" },
    { "default", anything, help = "what the service takes when it is absent, for help" },
    { "always", anything, help = "what is sent when it is absent", example = [[always = "v1"]] },
    { "min", number, types = { "integer", "number" }, help = "smallest" },
    { "max", number, types = { "integer", "number" }, help = "greatest" },
    { "min_length", number, types = strings, help = "characters at least" },
    { "max_length", number, types = strings, help = "characters at most" },
    { "one_of", texts, types = strings, help = "a closed list: others are refused" },
    { "known", texts, types = strings, help = "an open list, for help: others are passed on" },
    { "pattern", either(text, "string", texts), types = strings, help = "Lua pattern, or several" },
    { "pattern_help", text, types = strings, help = "the pattern in words" },
    { "never", array_of(texts), types = strings, help = "{ pattern, why } each: what is refused" },
    { "case", one_of{ "lower", "upper" }, types = strings, help = "is converted" },
    { "fields", array_of(section"parameter"), types = { "object" }, help = "the fields" },
    { "closed", flag, types = { "object" }, help = "true: unknown fields are refused" },
    { "refuse", array_of(section"rule"), types = { "object" }, help = "combinations that are refused" },
    { "items", described, types = arrays, help = "the elements" },
    { "min_items", number, types = arrays, help = "elements at least" },
    { "max_items", number, types = arrays, help = "elements at most" },
    { "list", one_of{ "comma", "repeat", "bracket" }, types = arrays, help = "how it is written in a query" },
    { "values", described, types = maps, help = "the values" },
    { "min_pairs", number, types = maps, help = "pairs at least", example = "min_pairs = 1" },
    { "max_pairs", number, types = maps, help = "pairs at most" },
    { "key_max_length", number, types = maps, help = "characters of a name at most" },
    { "extension", text, types = { "file" }, help = "added to the file's name when it lacks it" },
    { "extension_when", map_of(text), types = { "file" }, help = "field = pattern: only then" },
  })

  section("rule", "A combination that is refused", {
    { "when", map_of(text), required = true, help = "field = pattern, all of which fit" },
    { "why", text, required = true, help = "what the message says" },
  })
end
