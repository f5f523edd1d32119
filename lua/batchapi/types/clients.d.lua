---@meta batchapi.clients
-- Written by tools/make-types from the definitions in lua/batchapi/services: change those.

---@class batchapi.File
---@field content? string its bytes
---@field path? string where they are instead
---@field filename? string the name the service sees
---@field type? string its media type

---@class batchapi.Saved
---@field path string
---@field bytes integer

---@class batchapi.Options
---@field base_url? string where the service's paths begin
---@field timeout? number seconds for a whole call: connecting, sending, receiving and every retry between; file transfers have none unless it is given (600)
---@field connect_timeout? number seconds to connect, each attempt (5)
---@field stall_timeout? number seconds without a byte in either direction; not while the server thinks: from the last byte sent to the answer's first only timeout counts (600 s in file transfers, unless it is given) (60)
---@field max_retries? number attempts after the first (2)
---@field max_connections? number calls in flight at once; further ones wait (64)
---@field proxy? string URL of a proxy; "" for none; else the environment's
---@field ca_file? string PEM file of the authorities to trust, in the system's place
---@field client_cert? string PEM file of a client certificate
---@field client_key? string PEM file of its key
---@field unix_socket? string path of a socket to connect to in the host's place
---@field http_version? "1.1"|"2" else the best both sides know; "2" is a wish, which a server that has only 1.1 does not fulfil
---@field user_agent? string the User-Agent header
---@field headers? table headers sent with every request
---@field on_request? function function(attempt), called after each attempt; secrets are removed
---@field max_header_bytes? number cap on an answer's headers; libcurl takes no more than 307200 (262144)
---@field max_body_bytes? number cap on an answer kept in memory, after decompression (67108864)
---@field max_line_bytes? number cap on one line of a JSONL answer (67108864)
---@field max_json_depth? number cap on nesting in an answer (512)
---@field max_json_values? number cap on the values of an answer that are decoded; an array or object counts as 8 (8000000)
---@field big_integers? "float"|"text"|"cdata" what an integer in an answer becomes that this Lua's numbers do not hold (2^53 on 5.1, 5.2 and LuaJIT, else 64 bits): "float" (its nearest number, the default), "text" (its digits), or on LuaJIT "cdata"
---@field allow_insecure? boolean send credentials over plain http to another machine
---@field token? function|string a bearer token, or a function that returns one and its lifetime in seconds
---@field on_token? function function(refresh_token), called when the server has renewed it, to be stored
---@field api_key_file? string file that holds the key; read by the core
---@field host? string|table how calls wait; a table is an event loop of your own (auto)
---@field json? table a codec in the built-in one's place: encode and decode as lua-cjson has them
---@field on_change? function function(change), called once for each change the service announces

---@class batchapi.RunOptions
---@field dir? string directory of the journal; the job then survives the process (see resume)
---@field metadata? table pairs of texts, kept with each batch where the service has a place for them
---@field attempts? integer how often a request may be tried in all (1)
---@field ordered? boolean results in the requests' order (true where answers come by position)
---@field concurrency? integer batches or calls at once (the service's definition says)
---@field requests_per_minute? integer requests started in a minute, where they are called one by one (no limit)
---@field max_requests_per_batch? integer requests in a batch or call (the service's limit, never more)
---@field max_bytes_per_batch? integer bytes of a batch or call (the service's limit, never more)
---@field interval? number seconds between looks at a batch, at first (1, or what suits the service)
---@field timeout? number seconds for each wait (the completion window and an hour)
---@field settle? number seconds to look for a batch whose create had no answer (60)
---@field lock_timeout? number seconds to wait for another process that holds dir (0)
---@field group? boolean the directory may be another user's of a group of ours (false)
---@field expires_after? number seconds until the service deletes the uploaded file (never)
---@field output_expires_after? number seconds until the service deletes the result files (never)
---@field cleanup? boolean delete the job's files at the service in the end (false)
---@field follow_pages? boolean read the further pages of an answer too (false)
---@field repeat_writes? boolean repeat also what may have been carried out already (false)
---@field dry_run? boolean check every request and say what would be sent; nothing is (false)
---@field on_update? function called with job:status() as the job moves; batchapi.progress() draws it

---@class batchapi.ResumeOptions
---@field client? any of the job's service (else one is made of the environment; needed for one of your own)
---@field salvage? boolean go on with what a damaged directory proves, and give the rest as damaged (false)
---@field attempts? integer how often a request may be tried in all (1)
---@field concurrency? integer batches or calls at once (the service's definition says)
---@field interval? number seconds between looks at a batch, at first (1, or what suits the service)
---@field timeout? number seconds for each wait (the completion window and an hour)
---@field settle? number seconds to look for a batch whose create had no answer (60)
---@field lock_timeout? number seconds to wait for another process that holds dir (0)
---@field group? boolean the directory may be another user's of a group of ours (false)
---@field cleanup? boolean delete the job's files at the service in the end (false)
---@field on_update? function called with job:status() as the job moves; batchapi.progress() draws it

---@class batchapi.WaitOptions
---@field interval? number seconds between polls at first (what the service asks for, if more) (5)
---@field max_interval? number seconds between polls at most: the pace slows down to it (60)
---@field timeout? number seconds for all of it (the batch's window and an hour)
---@field settle? number seconds over which the service may not know the batch (60)
---@field on_update? function called with each answer

---@class batchapi.MapOptions
---@field concurrency? integer calls of f at once (16)
---@field outcomes? boolean give what became of each, also when some failed (false)
---@field host? string|table how calls wait; a table is an event loop of your own (auto)

---@class batchapi.FreeRequest
---@field path string from the base URL on and beginning with '/', or a whole URL
---@field method? string GET, HEAD, PUT, POST, PATCH or DELETE (GET)
---@field query? table parameters, percent-encoded for you
---@field body? table|string a table is sent as JSON, a string as it is
---@field headers? table added
---@field to? string path of a file for the answer
---@field repeats? "safe"|"idempotent"|"never_sent" may a failed attempt be repeated? (by the method)

---@class batchapi.ShowOptions
---@field depth? integer levels of tables shown (6)
---@field items? integer entries shown of each table (20)
---@field text? integer bytes shown of each string (200)

---@class batchapi.WebhookOptions
---@field tolerance? number seconds the message may be old, or ahead of this clock (300)
---@field now? number calendar seconds to measure its age by, for tests

--- What became of one request.
---@class batchapi.Result
---@field custom_id string|nil the caller's own id, or the one that was made
---@field index integer of the request, from 1
---@field ok boolean it was done
---@field status integer|nil the HTTP status of its answer
---@field body any what the service answered
---@field error { code: string, message: string }|nil why not
---@field raw string|nil with raw: the bytes that the service sent
---@field repaired string|nil what a lenient reading mended

--- The service.
---@class batchapi.definition.definition
---@field name string short name, in messages
---@field title? string what it is, for help
---@field documentation? string where its own documentation is, for help
---@field extends? any another definition, or the name of one that is shipped, that this one differs from: headers, query, errors, response and run are merged word by word (false takes one away), options and operations by name, everything else is replaced. With a base_url of its own it gets none of the other's environment variables, which hold that one's credentials and address
---@field credentials? "inherit" it does get them, where both are one account's; its clients say so
---@field base_url string where paths begin; {option} stands for the value of an option
---@field environment? string variable that overrides base_url
---@field base_path? string path that is added to an address that is given, in the variable or the option, without it
---@field auth? any how a request proves who sends it. The first way whose options are given is taken, then the first whose variables are set
---@field options? batchapi.definition.option[] client options of this service beyond the general ones
---@field headers? table<string, string> sent with every request
---@field query? table<string, string> sent with every request
---@field errors? batchapi.definition.errors how the service says what went wrong
---@field response? batchapi.definition.response where the service puts its request id and rate limits
---@field limits? batchapi.definition.limit[] up to four limits on what may be in flight, weighed by the operations
---@field changes? batchapi.definition.changes a header that announces changes, told once to the option on_change
---@field operations batchapi.definition.operation[] the calls, in the order that help shows
---@field wait? batchapi.definition.wait how client:wait watches a batch
---@field run? batchapi.definition.run how client:run submits, watches and collects

--- A way to authenticate.
---@class batchapi.definition.way
---@field kind "bearer"|"basic"|"header"|"oauth_client"|"oauth_refresh" a bearer token; user and password; a header of its own; a signed assertion; a refresh token
---@field option string client option with the secret
---@field environment? string variable it is read from when absent
---@field user_option? string kind basic: client option with the user's name
---@field user_environment? string kind basic: variable with it
---@field header? string kind header: which
---@field prefix? string kind header: what stands before the secret
---@field token_url? string kind oauth_refresh: where tokens are had; a URL, or a path at the base URL's origin
---@field authorize_url? string kind oauth_refresh: where a user's browser is sent
---@field help? string what the secret is, for help

--- An option of the client.
---@class batchapi.definition.option
---@field [1] string its name
---@field [2] string its type, as parameters have them
---@field environment? string variable it is read from when absent
---@field header? string header that its value goes to
---@field query? string query parameter that its value goes to
---@field default? any its value when absent
---@field help? string what it does
---@field one_of? string[] the words it may be
---@field pattern? string Lua pattern that it must match
---@field pattern_help? string the pattern in words
---@field min? number smallest
---@field max? number greatest
---@field min_length? number characters at least
---@field max_length? number characters at most
---@field items? any elements of an array

--- How the service says what went wrong.
---@class batchapi.definition.errors
---@field code? string[] paths into the answer, of which the first that is there counts; the usual shapes are understood without
---@field message? string[] the same for the message
---@field final? string[] codes that no repeat can mend although the status is 429
---@field auth? number[] statuses that mean a refused credential besides 401 and 403

--- Headers of an answer, in lower case.
---@class batchapi.definition.response
---@field request_id? string[] with the request's id
---@field limit? string[] with the requests in a window
---@field remaining? string[] with those that are left
---@field reset? string[] with the time until there are more

--- A limit.
---@class batchapi.definition.limit
---@field name string how operations name it
---@field in_flight? number weight at once
---@field per_minute? number weight in a minute
---@field per_minute_option? string client option that sets it

--- Announced changes.
---@class batchapi.definition.changes
---@field header string the header
---@field name string its attribute with the flag's name
---@field silenced_by? string[] options whose lists name flags not to be told

--- An operation.
---@class batchapi.definition.operation
---@field name string its method's name
---@field method "GET"|"HEAD"|"POST"|"PUT"|"PATCH"|"DELETE" the HTTP method
---@field path string {name} is a parameter, percent-encoded as one segment; {+name} keeps its slashes, and a path that is nothing but {+name} is a whole URL (the credential goes to its own origin only)
---@field summary? string what it does, for help
---@field example? string a call, for help
---@field parameters? batchapi.definition.parameter[] the path's, where more than 'a string' is to be said
---@field query? batchapi.definition.parameter[] those of the query
---@field body? batchapi.definition.parameter the body
---@field content? "json"|"multipart"|"form"|"bytes" how the body is written (json); bytes: it is a file, sent as it is
---@field nesting? "bracket"|"dot" fields within fields of a form: a[b] (the default) or a.b
---@field answer? "json"|"bytes"|"jsonl" what comes back (json); bytes is a file, which may go to { to = path }; jsonl a file of JSON lines
---@field headers? table<string, string> sent with it
---@field credential? boolean false: sent without the credential
---@field redirects? boolean true: follows redirects (the credential stays at its own origin)
---@field repeats? "safe"|"idempotent"|"never_sent" when a failed attempt is repeated; never_sent: only if surely not accepted. By method: GET and HEAD safe, PUT and DELETE idempotent, else never_sent
---@field repeats_if? batchapi.definition.repeats_if repeats so when each element of an array is as it says
---@field idempotency_key? string header that the service knows a repeated call by: each call sends a fresh value, and every failed attempt may then be repeated
---@field unaccepted? number[] statuses that say 'not accepted', after which even never_sent is repeated (429)
---@field weights? batchapi.definition.weight[] what it takes of the limits
---@field page? batchapi.definition.page how a list goes on
---@field remove? boolean true, with extends: this service lacks the operation

--- When a call may be repeated.
---@class batchapi.definition.repeats_if
---@field every string path of an array in the body
---@field field string path in each element
---@field one_of string[] what it is in each
---@field repeats "safe"|"idempotent" then the call repeats so

--- What a call takes of a limit.
---@class batchapi.definition.weight
---@field limit string the limit's name
---@field weight? number so much, or
---@field count? string one for each element of the array at this path
---@field field? string path in each element
---@field one_of? string[] only those whose field is one of these
---@field none_of? string[] only those whose field is none of these

--- How a list goes on.
---@class batchapi.definition.page
---@field items string path of the items; '' when the answer is the array
---@field query string the parameter that continues
---@field from "last_item"|"answer"|"number"|"offset"|"link" what it is set to: the last item's field, the answer's field, the next page's number, the items seen so far; link: the answer's field is the next page's URL
---@field field? string path of the cursor
---@field last? string last_item: path, in a page without items, of what to go on from
---@field more? string path whose false ends the list
---@field total? string path of the count of all items
---@field size? string the parameter for the page size
---@field first? number number: that of the first page (1)

--- How a batch is watched.
---@class batchapi.definition.wait
---@field operation string gives the batch; its path's last parameter is the batch's id
---@field status string path of the state
---@field done string[] states that are an end, in any case; every other is 'still running'
---@field failed? string[] states in which nothing ran at all
---@field done_statuses? number[] HTTP statuses that mean the end when the body has no state
---@field pending? batchapi.definition.pending for a service without a state
---@field reasons? batchapi.definition.reasons where a failed batch says why
---@field needs? batchapi.definition.need[] what an ended batch must name before its results can be had
---@field ended? string path that is there only when the work has ended
---@field interval? number seconds between looks, at first
---@field max_interval? number seconds between looks, at most

--- What an ended batch must name.
---@class batchapi.definition.need
---@field any string[] paths, of which one must be there
---@field count? string path of a number: only if it is above 0

--- Counts in the place of a state.
---@class batchapi.definition.pending
---@field zero string path of the count that is 0 at the end
---@field positive? string path of one that is above 0 then

--- Why a batch failed.
---@class batchapi.definition.reasons
---@field list? string path of the array of reasons
---@field code? string path of the code in each
---@field message string path of the message in each
---@field line? string path of the line of the input in each

--- A parameter.
---@class batchapi.definition.parameter
---@field [1]? string its name
---@field [2]? string its type
---@field type? string the same: string, integer, number, boolean, object (fields that are known), map (free names), array, file (a path, or { content =, filename = }), any
---@field required? boolean it must be given
---@field nullable? boolean batchapi.null may stand
---@field help? string what it is
---@field example? any a value
---@field default? any what the service takes when it is absent, for help
---@field always? any what is sent when it is absent
---@field min? number smallest
---@field max? number greatest
---@field min_length? number characters at least
---@field max_length? number characters at most
---@field one_of? string[] a closed list: others are refused
---@field known? string[] an open list, for help: others are passed on
---@field pattern? any Lua pattern, or several
---@field pattern_help? string the pattern in words
---@field never? string[][] { pattern, why } each: what is refused
---@field case? "lower"|"upper" is converted
---@field fields? batchapi.definition.parameter[] the fields
---@field closed? boolean true: unknown fields are refused
---@field refuse? batchapi.definition.rule[] combinations that are refused
---@field items? any the elements
---@field min_items? number elements at least
---@field max_items? number elements at most
---@field list? "comma"|"repeat"|"bracket" how it is written in a query
---@field values? any the values
---@field min_pairs? number pairs at least
---@field max_pairs? number pairs at most
---@field key_max_length? number characters of a name at most
---@field extension? string added to the file's name when it lacks it
---@field extension_when? table<string, string> field = pattern: only then

--- A combination that is refused.
---@class batchapi.definition.rule
---@field when table<string, string> field = pattern, all of which fit
---@field why string what the message says

--- How work is run.
---@class batchapi.definition.run
---@field family "file"|"inline"|"envelope"|"each" file: a file is uploaded, a batch made of it, and files collected; inline: the requests stand in the body that makes the batch; envelope: one call carries many requests and answers them; each: one call (or one batch) for each request
---@field options? table<string, batchapi.definition.run_option> options of run beyond the common ones, by name
---@field request? batchapi.definition.run_request what a request is
---@field limits? batchapi.definition.run_limits of one batch or call
---@field concurrency? number batches, or calls, in flight unless the option says otherwise (4)
---@field upload? batchapi.definition.run_upload how a part's file is sent
---@field create batchapi.definition.run_create how a batch is made, or a call
---@field lookup? batchapi.definition.run_lookup how a create whose answer was lost is found again
---@field fence? batchapi.definition.run_fence how it is made sure that a lost create never makes a batch. Without it a lost create that was looked for in vain is made again
---@field watch? batchapi.definition.run_watch adds to the definition's wait
---@field collect? batchapi.definition.run_collect[] what is fetched of a batch that has ended: files of JSON lines; in the family each the answer is the result
---@field items? string path of the answers in the answer
---@field result? batchapi.definition.run_result how an answer to one request is read
---@field pages? batchapi.definition.run_pages how the option follow_pages reads on
---@field cancel? batchapi.definition.run_call how a batch is cancelled
---@field delete? batchapi.definition.run_call what the option cleanup does to each file ($file_id)

--- An option of run.
---@class batchapi.definition.run_option
---@field type? "any"|"array"|"boolean"|"integer"|"map"|"number"|"object"|"string" its type
---@field required? boolean it must be given
---@field infer? string path in the first request that it is taken from
---@field needed? boolean with infer: there is no going without
---@field default? any its value when absent
---@field window? "s"|"m"|"h"|"d"|"w" it says how long the service may take: the unit of a number
---@field one_of? string[] the words it may be
---@field help? string what it does

--- A request.
---@class batchapi.definition.run_request
---@field type? "object"|"string" object (the default) or string
---@field id? string the field with the caller's own id (absent: answers match by position)
---@field id_pattern? string Lua pattern that ids match
---@field id_max? number bytes of an id at most
---@field required? string[] fields that must be there
---@field fields? table<string, ("any"|"array"|"boolean"|"integer"|"map"|"number"|"object"|"string")> all the fields there may be, and their types
---@field defaults? table templates of fields that are absent
---@field verbatim? string[] fields with which a JSONL line is sent byte for byte
---@field equal? table<string, string> field = template: what the service insists on
---@field uniform? string[] paths whose value is one in all of a batch
---@field send? table what goes out, if it is not the request itself ($request.field)
---@field safe? batchapi.definition.run_among repeating these harms nothing
---@field depends? batchapi.definition.run_depends requests that need one another go in one call

--- Requests that depend on others.
---@class batchapi.definition.run_depends
---@field field string path of the ids that a request depends on
---@field failed? number[] statuses of one that did not run because such a request failed

--- A rule on words.
---@class batchapi.definition.run_among
---@field path? string path of a word
---@field every? string or of an array
---@field field? string path of the word in each element
---@field one_of string[] the words that are right

--- Limits of one batch or call.
---@class batchapi.definition.run_limits
---@field requests? number requests at most
---@field bytes? number bytes at most
---@field inputs? batchapi.definition.run_inputs inputs at most, where a request may hold several

--- Inputs within requests.
---@class batchapi.definition.run_inputs
---@field path string path of the array
---@field url string of requests whose url ends so
---@field max number elements in a batch at most

--- A call.
---@class batchapi.definition.run_call
---@field operation string the operation
---@field arguments table its arguments

--- How a file is sent.
---@class batchapi.definition.run_upload
---@field operation string the operation
---@field arguments table its arguments
---@field id string path of the file's id in the answer
---@field ready? batchapi.definition.run_ready where a batch can be made only of a file that the service has looked through

--- When a file can be used.
---@class batchapi.definition.run_ready
---@field operation string the operation
---@field arguments table its arguments
---@field status string path of the file's state
---@field waits string[] states to wait through, in lower case
---@field failed? string[] states in which it is of no use
---@field message? string path of the reason

--- How a lost create is kept from making a batch.
---@class batchapi.definition.run_fence
---@field visible batchapi.definition.run_call shows the file ($file_id)
---@field delete batchapi.definition.run_call deletes it

--- How a batch is made.
---@class batchapi.definition.run_create
---@field operation string the operation
---@field arguments table its arguments
---@field id? string path of the batch's id; absent: the answer is the result
---@field not_yet? string[] texts in a message, in any case, that mean 'again in a moment'
---@field queue? string[] codes that mean 'when another batch has ended'

--- How a batch is found.
---@class batchapi.definition.run_lookup
---@field operation string a list
---@field query? table templates; $since is the date and time that it is read back to
---@field token string path of the metadata's token in an item
---@field id string path of the batch's id in an item
---@field created? string path of its time, a number; the list then is newest first
---@field file? string path of the id of the file it was made of

--- What run adds to wait.
---@class batchapi.definition.run_watch
---@field arguments? table of the operation that watches
---@field expired? string[] states in which its time was over
---@field cancelled? string[] states in which it was cancelled
---@field usage? string path of what was used
---@field counts? batchapi.definition.run_counts how far it is

--- How far a batch is.
---@class batchapi.definition.run_counts
---@field total? string path of the number of requests
---@field completed? string of those that are done
---@field failed? string of those that failed

--- What is fetched.
---@class batchapi.definition.run_collect
---@field operation string the operation
---@field arguments table its arguments
---@field id? string path, in the batch, of what is asked for; empty: there is none

--- How an answer is read.
---@class batchapi.definition.run_result
---@field id? string path of the request's id
---@field status? string path of the HTTP status
---@field body? string path of the body
---@field failed? string path that is there only when the request failed
---@field code? string[] paths of the code, of which the first that is there counts
---@field message? string[] paths of the message
---@field ok? batchapi.definition.run_among what makes a success, in the place of a status from 200 to 299
---@field retry? batchapi.definition.run_retry what the option attempts repeats
---@field retry_after? string path of the seconds to wait

--- What may be repeated.
---@class batchapi.definition.run_retry
---@field statuses? number[] statuses
---@field codes? string[] codes

--- How an answer goes on.
---@class batchapi.definition.run_pages
---@field next string path of the cursor in an answer
---@field put string path in the request that it goes to
---@field items string path of the array that grows
---@field remove? string path that is left out of the whole

---@class batchapi
---@field openai fun(options?: batchapi.openai.Options): batchapi.openai|nil, string|nil, batchapi.Error|nil
---@field asana fun(options?: batchapi.asana.Options): batchapi.asana|nil, string|nil, batchapi.Error|nil
---@field factset fun(options?: batchapi.factset.Options): batchapi.factset|nil, string|nil, batchapi.Error|nil
---@field robotoff fun(options?: batchapi.robotoff.Options): batchapi.robotoff|nil, string|nil, batchapi.Error|nil
---@field azure fun(options?: batchapi.azure.Options): batchapi.azure|nil, string|nil, batchapi.Error|nil
---@field groq fun(options?: batchapi.groq.Options): batchapi.groq|nil, string|nil, batchapi.Error|nil
---@field anthropic fun(options?: batchapi.anthropic.Options): batchapi.anthropic|nil, string|nil, batchapi.Error|nil
---@field mistral fun(options?: batchapi.mistral.Options): batchapi.mistral|nil, string|nil, batchapi.Error|nil
---@field msgraph fun(options?: batchapi.msgraph.Options): batchapi.msgraph|nil, string|nil, batchapi.Error|nil


---@class batchapi.openai.Options: batchapi.Options
---@field api_key? string
---@field organization? string organization the calls are booked on
---@field project? string project the calls are booked on

--- OpenAI Batch API (files, uploads, batches)
---@class batchapi.openai: batchapi.Client
local openai = {}

---@class batchapi.openai.create_batch.Body
---@field input_file_id string file with purpose "batch": JSONL, at most 50,000 lines and 200 MB
---@field endpoint string the endpoint of every request in the file
---@field completion_window string time within which the work must end
---@field metadata? table<string, string> pairs of your own, kept with the batch
---@field output_expires_after? { anchor: "created_at", seconds: integer } life of the output and error files, from their creation

--- Starts a batch from an uploaded file of requests.
---@async
---@param body batchapi.openai.create_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_batch(body) end

--- A batch as it stands now.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:retrieve_batch(batch_id) end

--- One page of batches, newest first.
---@async
---@param query? { after?: string, limit?: integer }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:list_batches(query) end

--- Asks for a batch to end early; what is finished stays.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:cancel_batch(batch_id) end

---@class batchapi.openai.create_file.Body
---@field purpose string what the file is for
---@field file string|batchapi.File a path, or { content = …, filename = … }
---@field expires_after? { anchor: "created_at", seconds: integer } life of the file (30 days for purpose "batch")

--- Uploads a file, streamed from disk.
---@async
---@param body batchapi.openai.create_file.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_file(body) end

--- One page of files.
---@async
---@param query? { purpose?: string, limit?: integer, order?: "asc"|"desc", after?: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:list_files(query) end

--- What the service knows of a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:retrieve_file(file_id) end

--- Deletes a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:delete_file(file_id) end

--- The bytes of a file: into a file with { to = path }, else as a string.
---@async
---@param file_id string id of a file
---@param query? { to?: string }
---@return string|batchapi.Saved|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:download_file(file_id, query) end

---@class batchapi.openai.create_upload.Body
---@field filename string name the file will have
---@field purpose string what the file is for
---@field bytes integer size of the whole file, at most 8 GiB
---@field mime_type string media type, such as text/jsonl
---@field expires_after? { anchor: "created_at", seconds: integer } life of the file

--- Begins an upload in parts.
---@async
---@param body batchapi.openai.create_upload.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_upload(body) end

---@class batchapi.openai.add_upload_part.Body
---@field data string|batchapi.File a path, or { content = … }

--- Adds one part (at most 64 MB) to an upload.
---@async
---@param upload_id string id of an upload
---@param body batchapi.openai.add_upload_part.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:add_upload_part(upload_id, body) end

---@class batchapi.openai.complete_upload.Body
---@field part_ids string[] ids of the parts, in order
---@field md5? string MD5 of the whole file, to have it verified

--- Ends an upload and makes the file of its parts.
---@async
---@param upload_id string id of an upload
---@param body batchapi.openai.complete_upload.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:complete_upload(upload_id, body) end

--- Gives an upload up; no part can follow.
---@async
---@param upload_id string id of an upload
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:cancel_upload(upload_id) end

---@class batchapi.openai.create_chat_completion.Body
---@field model string id of the model
---@field stream? boolean false: an answer comes as one document
---@field messages table[] { role =, content = } each

--- One chat completion, at once: what a batch does by the thousand.
---@async
---@param body batchapi.openai.create_chat_completion.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_chat_completion(body) end

---@class batchapi.openai.create_response.Body
---@field model? string id of the model
---@field stream? boolean false: an answer comes as one document
---@field input? any a text, or an array of messages

--- One answer of a model, at once.
---@async
---@param body batchapi.openai.create_response.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_response(body) end

---@class batchapi.openai.create_embedding.Body
---@field model string id of the model
---@field input any a text, or an array of texts or tokens

--- The vectors of texts.
---@async
---@param body batchapi.openai.create_embedding.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_embedding(body) end

--- The models there are.
---@async
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:list_models() end

--- What the service says of a model.
---@async
---@param model string id of the model
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:retrieve_model(model) end

---@class batchapi.openai.RunOptions: batchapi.RunOptions
---@field completion_window? string time the service may take
---@field endpoint? string path every request is for, such as /v1/chat/completions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.openai.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function openai:run(requests, options) end


---@class batchapi.asana.Options: batchapi.Options
---@field access_token? string
---@field oauth? table|string
---@field enable? string[] announced changes to have already
---@field disable? string[] announced changes not to have yet
---@field requests_per_minute? integer actions started per minute (Asana allows 150 to free domains, 1,500 to paid ones)

--- Asana batch API
---@class batchapi.asana: batchapi.Client
local asana = {}

---@class batchapi.asana.create_batch_request.Body
---@field data { actions: ({ relative_path: string, method: "get"|"post"|"put"|"delete"|"patch"|"head", data?: table<string, any>, options?: { limit?: integer, offset?: string, fields?: string[], expand?: string[] } })[] }

--- Runs up to ten actions; data[i] of the answer belongs to actions[i].
---@async
---@param body batchapi.asana.create_batch_request.Body
---@param query? { opt_fields?: ("body"|"headers"|"status_code")[], opt_pretty?: boolean }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function asana:create_batch_request(body, query) end

---@class batchapi.asana.RunOptions: batchapi.RunOptions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.asana.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function asana:run(requests, options) end


---@class batchapi.factset.Options: batchapi.Options
---@field app_config? table|string
---@field username? string
---@field api_key? string

--- FactSet Asset Cash Flow Projections
---@class batchapi.factset: batchapi.Client
local factset = {}

---@class batchapi.factset.post_batch.Body
---@field data { documentName: string }

--- Starts a batch for one document.
---@async
---@param body batchapi.factset.post_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:post_batch(body) end

--- Whether a batch is queued, executing, completed or cancelled.
---@async
---@param batchId string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:get_batch_status(batchId) end

--- The jobs of a batch that has ended, with their logs.
---@async
---@param batchId string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:get_batch_job_result(batchId) end

--- The documents and directories of a directory.
---@async
---@param query { directoryPath: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:get_documents(query) end

---@class batchapi.factset.post_document.Body
---@field data { existingDocumentName: string, newDocumentName: string, asOfDate?: string, portfolios?: string[], scenarios?: string[] }

--- Saves a document under another name, with changes.
---@async
---@param body batchapi.factset.post_document.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:post_document(body) end

--- The date, portfolios and scenarios of a document.
---@async
---@param documentPath string full name of a document
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:get_document_details(documentPath) end

---@class batchapi.factset.put_document.Body
---@field data { asOfDate?: string, portfolios?: string[], scenarios?: string[] }

--- Changes a document.
---@async
---@param documentPath string full name of a document
---@param body batchapi.factset.put_document.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:put_document(documentPath, body) end

---@class batchapi.factset.upload_scenarios.Body
---@field data { fileName: string, asOfDate: string, overwrite?: boolean, replaceSpecialCharacters?: boolean }

--- Announces a scenario file; the answer holds the URL to send it to.
---@async
---@param body batchapi.factset.upload_scenarios.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:upload_scenarios(body) end

--- Whether a scenario file is in place.
---@async
---@param uploadId string id of an upload
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:get_upload_status(uploadId) end

---@class batchapi.factset.RunOptions: batchapi.RunOptions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.factset.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function factset:run(requests, options) end


---@class batchapi.robotoff.Options: batchapi.Options
---@field batch_job_key? string

--- Robotoff batch import
---@class batchapi.robotoff: batchapi.Client
local robotoff = {}

--- Queues the import of a batch job's results; every accepted call imports again.
---@async
---@param query { job_type: string, batch_dir: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function robotoff:batch_import_post(query) end

---@class batchapi.robotoff.RunOptions: batchapi.RunOptions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.robotoff.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function robotoff:run(requests, options) end


---@class batchapi.azure.Options: batchapi.Options
---@field api_key? string
---@field access_token? string
---@field organization? string organization the calls are booked on
---@field project? string project the calls are booked on
---@field endpoint? string address of the resource
---@field api_version? string version of the API

--- Azure OpenAI batches
---@class batchapi.azure: batchapi.Client
local azure = {}

---@class batchapi.azure.create_batch.Body
---@field input_file_id string file with purpose "batch": JSONL, at most 50,000 lines and 200 MB
---@field endpoint string the endpoint of every request in the file
---@field completion_window string time within which the work must end
---@field metadata? table<string, string> pairs of your own, kept with the batch
---@field output_expires_after? { anchor: "created_at", seconds: integer } life of the output and error files, from their creation

--- Starts a batch from an uploaded file of requests.
---@async
---@param body batchapi.azure.create_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:create_batch(body) end

--- A batch as it stands now.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:retrieve_batch(batch_id) end

--- One page of batches, newest first.
---@async
---@param query? { after?: string, limit?: integer }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:list_batches(query) end

--- Asks for a batch to end early; what is finished stays.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:cancel_batch(batch_id) end

---@class batchapi.azure.create_file.Body
---@field purpose string what the file is for
---@field file string|batchapi.File a path, or { content = …, filename = … }
---@field expires_after? { anchor: "created_at", seconds: integer } life of the file (30 days for purpose "batch")

--- Uploads a file, streamed from disk.
---@async
---@param body batchapi.azure.create_file.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:create_file(body) end

--- One page of files.
---@async
---@param query? { purpose?: string, limit?: integer, order?: "asc"|"desc", after?: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:list_files(query) end

--- What the service knows of a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:retrieve_file(file_id) end

--- Deletes a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:delete_file(file_id) end

--- The bytes of a file: into a file with { to = path }, else as a string.
---@async
---@param file_id string id of a file
---@param query? { to?: string }
---@return string|batchapi.Saved|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:download_file(file_id, query) end

--- The models there are.
---@async
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:list_models() end

--- What the service says of a model.
---@async
---@param model string id of the model
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function azure:retrieve_model(model) end

---@class batchapi.azure.RunOptions: batchapi.RunOptions
---@field completion_window? string time the service may take
---@field endpoint? string path every request is for, such as /v1/chat/completions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.azure.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function azure:run(requests, options) end


---@class batchapi.groq.Options: batchapi.Options
---@field api_key? string
---@field organization? string organization the calls are booked on
---@field project? string project the calls are booked on

--- Groq Batch API (OpenAI-compatible)
---@class batchapi.groq: batchapi.Client
local groq = {}

---@class batchapi.groq.create_batch.Body
---@field input_file_id string file with purpose "batch": JSONL, at most 50,000 lines and 200 MB
---@field endpoint string the endpoint of every request in the file
---@field completion_window string time within which the work must end
---@field metadata? table<string, string> pairs of your own, kept with the batch
---@field output_expires_after? { anchor: "created_at", seconds: integer } life of the output and error files, from their creation

--- Starts a batch from an uploaded file of requests.
---@async
---@param body batchapi.groq.create_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:create_batch(body) end

--- A batch as it stands now.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:retrieve_batch(batch_id) end

--- One page of batches, newest first.
---@async
---@param query? { after?: string, limit?: integer }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:list_batches(query) end

--- Asks for a batch to end early; what is finished stays.
---@async
---@param batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:cancel_batch(batch_id) end

---@class batchapi.groq.create_file.Body
---@field purpose string what the file is for
---@field file string|batchapi.File a path, or { content = …, filename = … }
---@field expires_after? { anchor: "created_at", seconds: integer } life of the file (30 days for purpose "batch")

--- Uploads a file, streamed from disk.
---@async
---@param body batchapi.groq.create_file.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:create_file(body) end

--- One page of files.
---@async
---@param query? { purpose?: string, limit?: integer, order?: "asc"|"desc", after?: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:list_files(query) end

--- What the service knows of a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:retrieve_file(file_id) end

--- Deletes a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:delete_file(file_id) end

--- The bytes of a file: into a file with { to = path }, else as a string.
---@async
---@param file_id string id of a file
---@param query? { to?: string }
---@return string|batchapi.Saved|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:download_file(file_id, query) end

---@class batchapi.groq.create_chat_completion.Body
---@field model string id of the model
---@field stream? boolean false: an answer comes as one document
---@field messages table[] { role =, content = } each

--- One chat completion, at once: what a batch does by the thousand.
---@async
---@param body batchapi.groq.create_chat_completion.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:create_chat_completion(body) end

---@class batchapi.groq.create_response.Body
---@field model? string id of the model
---@field stream? boolean false: an answer comes as one document
---@field input? any a text, or an array of messages

--- One answer of a model, at once.
---@async
---@param body batchapi.groq.create_response.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:create_response(body) end

--- The models there are.
---@async
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:list_models() end

--- What the service says of a model.
---@async
---@param model string id of the model
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:retrieve_model(model) end

---@class batchapi.groq.RunOptions: batchapi.RunOptions
---@field completion_window? string time the service may take
---@field endpoint? string path every request is for, such as /v1/chat/completions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.groq.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function groq:run(requests, options) end


---@class batchapi.anthropic.Options: batchapi.Options
---@field api_key? string
---@field auth_token? string
---@field version? string version of the API
---@field beta? string[] beta features

--- Anthropic Message Batches
---@class batchapi.anthropic: batchapi.Client
local anthropic = {}

---@class batchapi.anthropic.create_batch.Body
---@field requests ({ custom_id: string, params: table })[] at most 100,000 requests and 256 MB

--- Starts a batch of Messages requests.
---@async
---@param body batchapi.anthropic.create_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:create_batch(body) end

--- A batch as it stands now.
---@async
---@param message_batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:retrieve_batch(message_batch_id) end

--- One page of batches, newest first.
---@async
---@param query? { after_id?: string, before_id?: string, limit?: integer }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:list_batches(query) end

--- Asks for a batch to end early; what is finished stays.
---@async
---@param message_batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:cancel_batch(message_batch_id) end

--- Deletes a batch that has ended, and its results.
---@async
---@param message_batch_id string id of a batch
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:delete_batch(message_batch_id) end

--- The results of a batch that has ended: JSON lines, in any order.
---@async
---@param message_batch_id string id of a batch
---@param query? { to?: string }
---@return string|batchapi.Saved|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function anthropic:retrieve_batch_results(message_batch_id, query) end

---@class batchapi.anthropic.RunOptions: batchapi.RunOptions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.anthropic.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function anthropic:run(requests, options) end


---@class batchapi.mistral.Options: batchapi.Options
---@field api_key? string

--- Mistral batch jobs
---@class batchapi.mistral: batchapi.Client
local mistral = {}

---@class batchapi.mistral.create_job.Body
---@field input_files? string[] ids of files with purpose "batch"
---@field requests? table[] requests, in the files' place
---@field endpoint string the endpoint of every request
---@field model? string the model of every request
---@field timeout_hours? integer hours within which the work must end
---@field metadata? table<string, string> pairs of your own

--- Starts a job from uploaded files of requests.
---@async
---@param body batchapi.mistral.create_job.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:create_job(body) end

--- A job as it stands now.
---@async
---@param job_id string id of a job
---@param query? { inline?: boolean }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:retrieve_job(job_id, query) end

--- One page of jobs.
---@async
---@param query? { page?: integer, page_size?: integer, model?: string, status?: string[], created_after?: string, created_by_me?: boolean, agent_id?: string, order_by?: "created"|"-created" }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:list_jobs(query) end

--- Asks for a job to end early; what is finished stays.
---@async
---@param job_id string id of a job
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:cancel_job(job_id) end

--- Deletes a job; its files stay.
---@async
---@param job_id string id of a job
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:delete_job(job_id) end

---@class batchapi.mistral.create_file.Body
---@field purpose? string what the file is for
---@field file string|batchapi.File a path, or { content = …, filename = … }

--- Uploads a file, streamed from disk.
---@async
---@param body batchapi.mistral.create_file.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:create_file(body) end

--- One page of files.
---@async
---@param query? { page?: integer, page_size?: integer, purpose?: string }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:list_files(query) end

--- What the service knows of a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:retrieve_file(file_id) end

--- Deletes a file.
---@async
---@param file_id string id of a file
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:delete_file(file_id) end

--- The bytes of a file: into a file with { to = path }, else as a string.
---@async
---@param file_id string id of a file
---@param query? { to?: string }
---@return string|batchapi.Saved|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function mistral:download_file(file_id, query) end

---@class batchapi.mistral.RunOptions: batchapi.RunOptions
---@field endpoint string path every request is for, such as /v1/chat/completions
---@field model? string the model of every request
---@field timeout_hours? number hours the service may take (24)

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options batchapi.mistral.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function mistral:run(requests, options) end


---@class batchapi.msgraph.Options: batchapi.Options
---@field access_token? string

--- Microsoft Graph JSON batching
---@class batchapi.msgraph: batchapi.Client
local msgraph = {}

---@class batchapi.msgraph.create_batch.Body
---@field requests ({ id: string, method: "GET"|"POST"|"PUT"|"PATCH"|"DELETE", url: string, headers?: table<string, string>, body?: any, dependsOn?: string[] })[] the calls

--- Runs up to twenty requests; the answers come in any order, matched by id.
---@async
---@param body batchapi.msgraph.create_batch.Body
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function msgraph:create_batch(body) end

---@class batchapi.msgraph.RunOptions: batchapi.RunOptions

---@async
---@param requests table[]|string[]|string|fun(): any an array, an iterator, or the path of a JSONL file
---@param options? batchapi.msgraph.RunOptions
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function msgraph:run(requests, options) end
