---@meta batchapi.core
-- What the C module gives to the Lua layer. Private to the project: users require "batchapi".
--
-- A wrong type or a closed object raises. A failure of the world is `nil, message, err`, where err
-- is a batchapi.core.Error. All times are seconds. tools/check-annotations compares this file with
-- what is registered.

---@class batchapi.core
---@field _VERSION string the version alone, as lua/batchapi/version.lua has it
---@field null lightuserdata JSON null; equal to cjson.null and ngx.null
---@field array_mt table the metatable that marks arrays; decoded arrays carry it
---@field fs batchapi.core.fs
local core = {}

---@class batchapi.core.Error
---@field kind "invalid"|"auth"|"rate_limit"|"http"|"connect"|"tls"|"timeout"|"truncated"|"decode"|"too_large"|"cancelled"|"closed"|"io"|"locked"|"job"
---@field code string|nil an errno's name, OAuth's error, …
---@field message string one line
---@field offset integer|nil decode: the byte at which the text goes wrong, from 1
---@field line integer|nil lines: the line's number, from 1
---@field pid integer|nil locked: who holds it


-- ---- process ------------------------------------------------------------------------------------

---Monotonic seconds.
---@return number
function core.now() end

---Calendar seconds since 1970.
---@return number
function core.wall() end

---Which boot of which machine this is, and the seconds since it began: the same for all its
---processes. Nothing where the system does not tell.
---@return string|nil id
---@return number|nil seconds
function core.boot() end

---A date as HTTP writes it, in seconds since 1970; nil for any other text.
---@param text string
---@return number|nil
function core.http_date(text) end

---This process's number.
---@return integer
function core.pid() end

---Is the descriptor a terminal?
---@param descriptor integer
---@return boolean
function core.isatty(descriptor) end

---How often this process or its ancestors forked since the module was loaded: changes in a child.
---@return integer
function core.forks() end

---Can the coroutine that runs yield here? Not the main one, and none that C has called in between.
---@return boolean
function core.can_yield() end

---@class batchapi.core.TwoVersions
---@field built string of the headers that the module was built with
---@field running string of the library that runs here

---Of the libraries below the module, and what this libcurl can do: http2, brotli, zstd, …
---@return { libcurl: batchapi.core.TwoVersions, openssl: batchapi.core.TwoVersions, zlib: batchapi.core.TwoVersions, made_of: string, features: table<string, boolean> }
function core.versions() end

---A text that a server has a part in, fit for a terminal and a log: the same if it is so already.
---@param text string
---@return string
function core.printable(text) end

---Random bytes from the system, in hexadecimal.
---@param n integer
---@return string
function core.random(n) end


-- ---- JSON ---------------------------------------------------------------------------------------

---@class batchapi.core.EncodeOptions
---@field max_depth? integer arrays and objects in one another (512)
---@field sort_keys? boolean (true) write the keys of objects in order

---@class batchapi.core.DecodeOptions
---@field max_depth? integer (512)
---@field max_values? integer values, an array or object counting as 8; of a server's 8,000,000, else any
---@field null? "keep" null in an object becomes core.null instead of absent
---@field big_integers? "float"|"text"|"cdata" what an integer becomes that this Lua's numbers do not hold

---@param value any
---@param options? batchapi.core.EncodeOptions
---@return string|nil text, string|nil message, batchapi.core.Error|nil err kind "invalid"
function core.encode(value, options) end

---The value as `encode` reads it: another library's null is null, a table that is read through __pairs
---or __len, or has fields by way of __index, is a plain copy.
---@param value any
---@return any
function core.plain(value) end

---@param text string
---@param options? batchapi.core.DecodeOptions
---@return any value, string|nil message, batchapi.core.Error|nil err kind "decode"
function core.decode(text, options) end

---Decodes leniently: a byte order mark, halves of surrogate pairs (U+FFFD in their place), raw control
---characters and bytes that are not UTF-8 (kept), NaN and Infinity. For what `decode` has refused.
---@param text string
---@param options? batchapi.core.DecodeOptions
---@return any value
---@return string|nil repaired what and at which byte; nil: nothing; or the message, when value is nil
---@return batchapi.core.Error|nil err kind "decode"
function core.mend(text, options) end

---A line that proves itself, decoded.
---@param line string without its line feed
---@param seed integer of its checksum
---@param options? batchapi.core.DecodeOptions
---@return table|nil record, string|nil message, batchapi.core.Error|nil err code "checksum": it is not what was written
function core.record(line, seed, options) end

---CRC-32C.
---@param text string
---@return integer
function core.crc32c(text) end

---@param text string
---@return string|nil bytes, string|nil message, batchapi.core.Error|nil err
function core.base64_decode(text) end

---Splits a stream into lines and decodes them where they lie.
---@class batchapi.core.Lines
local lines = {}

---@param options? { max_line_bytes?: integer }
---@return batchapi.core.Lines
function core.lines(options) end

---@param bytes string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function lines:push(bytes) end

---Takes what a streaming call has received.
---@param call batchapi.core.Call
---@return boolean|nil came whether anything came
---@return string|nil message, batchapi.core.Error|nil err
function lines:take(call) end

---No more will come: what is left is the last line.
function lines:finish() end

---The next line; nil alone when more is needed.
---@return string|nil line, string|nil message, batchapi.core.Error|nil err
function lines:next() end

---The next line's value; nil alone when more is needed.
---@param options? batchapi.core.DecodeOptions
---@return any value, string|nil message, batchapi.core.Error|nil err
function lines:json(options) end

---The bytes of the last line.
---@return string|nil
function lines:raw() end

---The last line's number, from 1.
---@return integer
function lines:number() end

---How many bytes lie before the next line.
---@return integer
function lines:offset() end

---The next line, a record that proves itself (src/include/batchapi/record.h): number, checksum and all.
---@param seed integer of its checksum
---@param options? batchapi.core.DecodeOptions
---@return table|nil record, string|nil message, batchapi.core.Error|nil err code "checksum": it is not what was written
function lines:proven(seed, options) end

---The same; what a service sent (`bytes`, and `line` or `base64`) may be left out of the record.
---@param seed integer
---@param options? batchapi.core.DecodeOptions
---@return table|nil record, string|nil message, batchapi.core.Error|nil err
function lines:fields(seed, options) end

---Had the last line no line feed?
---@return boolean
function lines:cut() end

function lines:close() end

---The same over a file.
---@class batchapi.core.Reader
local reader = {}

---@param path string
---@param options? { max_line_bytes?: integer, offset?: integer, deferred?: boolean }
---@return batchapi.core.Reader|nil reader, string|nil message, batchapi.core.Error|nil err
function core.reader(path, options) end

---@return string|nil line nil alone at the end, or when a deferred reader is starved
---@return string|nil message, batchapi.core.Error|nil err
function reader:next() end

---@param options? batchapi.core.DecodeOptions
---@return any value, string|nil message, batchapi.core.Error|nil err
function reader:json(options) end

---@return string|nil
function reader:raw() end

---@return integer
function reader:number() end

---@return integer
function reader:offset() end

---The next line, a record that proves itself (src/include/batchapi/record.h): number, checksum and all.
---@param seed integer of its checksum
---@param options? batchapi.core.DecodeOptions
---@return table|nil record, string|nil message, batchapi.core.Error|nil err code "checksum": it is not what was written
function reader:proven(seed, options) end

---The same; what a service sent (`bytes`, and `line` or `base64`) may be left out of the record.
---@param seed integer
---@param options? batchapi.core.DecodeOptions
---@return table|nil record, string|nil message, batchapi.core.Error|nil err
function reader:fields(seed, options) end

---Had the last line no line feed?
---@return boolean
function reader:cut() end

---Did nil mean "fill me", not the end?
---@return boolean
function reader:starved() end

---Takes what a "fill" has fetched.
---@param work batchapi.core.Work
---@return integer|nil bytes 0 at the end
---@return string|nil message, batchapi.core.Error|nil err
function reader:take(work) end

---@return true
function reader:close() end


-- ---- files --------------------------------------------------------------------------------------

---@class batchapi.core.Writer
local writer = {}

---@param path string
---@param options? { append?: boolean, deferred?: boolean }
---@return batchapi.core.Writer|nil writer, string|nil message, batchapi.core.Error|nil err
function core.writer(path, options) end

---Appends one line of JSON.
---@param value any
---@param options? batchapi.core.EncodeOptions
---@return integer|nil bytes of the line
---@return string|nil message, batchapi.core.Error|nil err
function writer:encode(value, options) end

---A line that proves itself (src/include/batchapi/record.h).
---@param fields table
---@param number integer of the line, from 1
---@param seed integer of its checksum
---@param line? any what a service sent: its bytes as they came, or a decoded value
---@param strict? boolean the bytes are known to be JSON of one line, at most 510 deep: they are not looked through
---@return integer|nil bytes of the line, string|nil message, batchapi.core.Error|nil err
function writer:record(fields, number, seed, line, strict) end

---Such a line, given as text, with another number.
---@param record string
---@param number integer
---@param seed integer
---@return integer|nil bytes of the line, string|nil message, batchapi.core.Error|nil err
function writer:renumber(record, number, seed) end

---@param bytes string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function writer:write(bytes) end

---How many bytes the file holds once all is written.
---@return integer
function writer:bytes() end

---Is a flush due (deferred)?
---@return boolean
function writer:full() end

---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function writer:flush() end

---Flushes and waits until it is on the disk.
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function writer:sync() end

---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function writer:close() end

---@class batchapi.core.Hash
local hash = {}

---@return batchapi.core.Hash
function core.sha256() end

---@param bytes string
---@return batchapi.core.Hash
function hash:update(bytes) end

---Of what came so far; more may follow.
---@return string 64 hexadecimal digits
function hash:hex() end

---What is done to a path; each blocks.
---A directory that was opened once. Nothing in it is reached through a link, and nobody else may put files into it: it must
---belong to this user (`group`: or to one of a group of ours) and not be writable for everyone; what else is loose is taken
---away. The functions of core.fs, core.reader, core.writer and core.work take one before the name, which is one word then.
---@class batchapi.core.Disk
local disk = {}

---@param path string
---@param options? { create?: boolean, group?: boolean, mark?: string } mark: a directory with a file of this name is all ours
---@return batchapi.core.Disk|nil disk, string|nil message, batchapi.core.Error|nil err
function core.disk(path, options) end

---What was opened in it stays open.
function disk:close() end

---@class batchapi.core.fs
local fs = {}

---@param from string
---@param to string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.rename(from, to) end

---Of a file that its owner alone may read and write: settings with keys in them. At most 1 MiB.
---@param path string
---@return string|nil bytes, string|nil message, batchapi.core.Error|nil err
function fs.private(path) end

---@param path string
---@param mode? integer of the last one (511), the others are made as usual
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.mkdir(path, mode) end

---@param path string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.unlink(path) end

---@param path string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.rmdir(path) end


--- The directory and the files in it are removed when the process exits, if it has not gone before.
---@param path string
---@return true|nil ok, string|nil message, table|nil err
function fs.goes_at_exit(path) end

---@param path string
---@param size integer
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.truncate(path, size) end

---@param path string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.sync_dir(path) end

---Writes a file anew, whole or not at all.
---@param path string
---@param bytes string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function fs.replace(path, bytes) end

---@param path string
---@return { size: integer, mtime: number, type: string }|nil stat, string|nil message, batchapi.core.Error|nil err
function fs.stat(path) end

---@param path string
---@param length? integer only its first bytes
---@return string|nil hex, string|nil message, batchapi.core.Error|nil err
function fs.sha256(path, length) end

---@param path string
---@param cap? integer
---@return string|nil bytes, string|nil message, batchapi.core.Error|nil err
function fs.read(path, cap) end

---The lines that begin at these offsets, in that order, each with a line feed: until they are 256 KiB, one at least.
---@param path string
---@param offsets integer[] at most 1024
---@return string|nil bytes, string|nil message, batchapi.core.Error|nil err code "short" where the file ends before one
function fs.lines(path, offsets) end

---@param disk batchapi.core.Disk|string or a path
---@return string[]|nil names in any order, string|nil message, batchapi.core.Error|nil err
function fs.list(disk) end

---@param directory? string
---@return string|nil path, string|nil message, batchapi.core.Error|nil err
function fs.tmpfile(directory) end

---@class batchapi.core.Lock
local lock = {}

---@param path string
---@return batchapi.core.Lock|nil lock, string|nil message, batchapi.core.Error|nil err kind "locked", with pid
function fs.lock(path) end

function lock:release() end

---A piece for the file thread; loop.await() takes it like a call.
---@class batchapi.core.Work
local work = {}

---@param mailbox batchapi.core.Mailbox
---@param what string the name of what is done; its arguments follow
---@param ... any
---@return batchapi.core.Work|nil work, string|nil message, batchapi.core.Error|nil err
function core.work(mailbox, what, ...) end

---@return integer
function work:id() end

---@return boolean done
function work:news() end

---See call:park().
---@param mailbox batchapi.core.Mailbox
---@param address number
---@param semaphore any
---@param tell? boolean
function work:park(mailbox, address, semaphore, tell) end

---What the function that does the same directly would have returned.
---@return any ...
function work:result() end

---The account of a job's requests.
---@class batchapi.core.Ledger
local ledger = {}

---@param seed? string
---@param bits? integer
---@return batchapi.core.Ledger
function core.ledger(seed, bits) end

---@param id? string
---@param force? boolean
---@return integer|nil number, integer|string|nil other, batchapi.core.Error|nil err
function ledger:add(id, force) end

---@param id string
---@return integer|nil number
function ledger:find(id) end

---@return integer
function ledger:count() end

---@param number integer
---@return integer state
function ledger:state(number) end

---@param number integer
---@param state integer
function ledger:set(number, state) end

---@param number integer
---@return integer offset
function ledger:place(number) end

---@param number integer
---@param offset integer
function ledger:put(number, offset) end

---@param state integer
---@return integer
function ledger:tally(state) end

---@param number integer
---@param state integer
---@return integer|nil
function ledger:next(number, state) end


-- ---- credentials --------------------------------------------------------------------------------

---Its tostring shows its kind only.
---@class batchapi.core.Credential
local credential = {}

---`kind` and what that kind needs; see src/binding/auth/credential.c and oauth.c.
---@param description table
---@return batchapi.core.Credential|nil credential, string|nil message, batchapi.core.Error|nil err
function core.credential(description) end

---Would the description, of kind "oauth_refresh", make one of the same grant, by a refresh token that the
---credential has or had?
---@param description table
---@param credential batchapi.core.Credential
---@return boolean
function core.is_grant(description, credential) end

---Ties it to the origin of a URL.
---@param url string
---@param allow_insecure? boolean also plain http to a host that is not loopback
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function credential:bind(url, allow_insecure) end

---May a request to this URL carry it?
---@param url string
---@return boolean
function credential:allows(url) end

---@return string
function credential:kind() end

---@return string[]
function credential:warnings() end

---Another secret of its clients, to be hidden with its own.
---@param text string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function credential:guard(text) end

---@param text string
---@return string text with every secret of it as '*'
function credential:redact(text) end

---The random values of an authorization request (RFC 7636).
---@return string code_verifier, string code_challenge, string state
function core.pkce() end

---The signature check of Standard Webhooks.
---@param id string
---@param timestamp string
---@param signatures string
---@param body string
---@param secret string
---@param tolerance number seconds
---@param now number calendar seconds
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function core.webhook_verify(id, timestamp, signatures, body, secret, tolerance, now) end


-- ---- HTTP ---------------------------------------------------------------------------------------

---Where the calls of one Lua state report.
---@class batchapi.core.Mailbox
local mailbox = {}

---@return batchapi.core.Mailbox|nil mailbox, string|nil message, batchapi.core.Error|nil err
function core.mailbox() end

---The descriptor that is readable while a report waits. Never read it.
---@return integer
function mailbox:fd() end

---Blocks until a report waits, the time is over, or a signal arrived.
---@param seconds number
---@return boolean ready
function mailbox:wait(seconds) end

---Fills ids[1..n] with the calls that have news, at most 256; the descriptor is quiet once none is
---left. In nginx's event loop only those parked with `tell`; for the others semaphores are posted.
---@param ids integer[]
---@return integer n
function mailbox:drain(ids) end

---nginx's own event loop takes the reports from now on.
---@param stream boolean nginx's stream module instead of http
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function mailbox:join_nginx(stream) end

function mailbox:leave_nginx() end

---Has nginx called back yet?
---@return boolean
function mailbox:proven() end

---Listens on a unix socket of the process's own.
---@return string|nil path, string|nil message, batchapi.core.Error|nil err
function mailbox:listen() end

---Reports are announced through the connection that was made to the path.
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function mailbox:accept() end

---Wakes whoever reads from that connection.
function mailbox:ring() end

---Its calls end. May be called twice.
function mailbox:close() end

---A descriptor that becomes readable once, for event loops that can wait for nothing else.
---@class batchapi.core.Timer
local timer = {}

---@param seconds number
---@return batchapi.core.Timer|nil timer, string|nil message, batchapi.core.Error|nil err
function core.timer(seconds) end

---@return integer
function timer:fd() end

---@return boolean
function timer:expired() end

function timer:close() end

---@class batchapi.core.Limit
---@field name string
---@field capacity? integer weight in flight at once
---@field per_minute? integer weight started in 60 s

---@class batchapi.core.Settings
---@field max_connections? integer calls in flight at once (64)
---@field proxy? string a URL; "" for none; absent: the environment's
---@field ca_file? string PEM
---@field client_cert? string PEM
---@field client_key? string PEM
---@field home? string URL whose origin alone sees the client certificate; absent: every one
---@field unix_socket? string path
---@field http_version? "1.1"|"2"
---@field user_agent? string
---@field credential? batchapi.core.Credential
---@field limits? batchapi.core.Limit[] at most 4

---What calls share.
---@class batchapi.core.Client
local client = {}

---@param settings batchapi.core.Settings
---@return batchapi.core.Client|nil client, string|nil message, batchapi.core.Error|nil err
function core.client(settings) end

---A client with other settings (all of them), the same limits and statistics.
---@param settings batchapi.core.Settings
---@return batchapi.core.Client|nil client, string|nil message, batchapi.core.Error|nil err
function client:derive(settings) end

---@class batchapi.core.Part
---@field name string
---@field content? string
---@field file? string path, in place of content
---@field filename? string
---@field type? string

---@class batchapi.core.Request
---@field method string
---@field url string
---@field headers? string[][] pairs of name and value
---@field body? string at most one of body, body_file, body_stream, parts
---@field body_file? string path
---@field body_stream? { length?: integer, restartable?: boolean } fed with call:write()
---@field parts? batchapi.core.Part[] multipart/form-data
---@field to? string path that the answer is written to
---@field stream? boolean the answer is read with call:read(); else it goes to memory
---@field timeout? number the whole call (600); negative: none
---@field connect_timeout? number each attempt (5)
---@field stall_timeout? number without a byte either way (60)
---@field max_retries? integer (2)
---@field repeats? "safe"|"idempotent"|"never_sent"
---@field max_body_bytes? integer
---@field max_header_bytes? integer
---@field raw? boolean a good answer is bytes or lines: JSON that ends does not say it is whole
---@field record_attempts? boolean for call:next_attempt()
---@field allow_redirects? boolean
---@field no_credential? boolean
---@field weights? table<string, integer> what it takes of each limit
---@field unaccepted? integer[] statuses that even "never_sent" may repeat ({ 429 })
---@field final_codes? string[] error codes that are final whatever the status
---@field code_paths? string[] where the error code is in an answer: "error.code"

---What many requests have in common, read once.
---@class batchapi.core.Prepared

---@param request batchapi.core.Request without url, body, sink and weights
---@return batchapi.core.Prepared|nil prepared, string|nil message, batchapi.core.Error|nil err
function client:prepare(request) end

---@param mailbox batchapi.core.Mailbox
---@param request batchapi.core.Request|batchapi.core.Prepared
---@param url? string of a prepared request
---@param body? string|table of a prepared request; a table is sent as JSON
---@param spare? batchapi.core.Call one that was released: it is the one that is given
---@return batchapi.core.Call|nil call, integer|string id or a message, batchapi.core.Error|nil err
function client:start(mailbox, request, url, body, spare) end

---What the credential has to say about itself; each is told once.
---@return string|nil
function client:warning() end

---@class batchapi.core.Stats
---@field requests integer
---@field attempts integer
---@field succeeded integer
---@field failed integer
---@field connections_opened integer
---@field connections_reused integer
---@field bytes_sent integer
---@field bytes_received integer
---@field retries table<string, integer> by reason: connect, tls, reset, timeout, rate_limit, server, auth, truncated
---@field token_requests integer
---@field in_flight integer
---@field queued integer

---@return batchapi.core.Stats
function client:stats() end

---Its calls end as closed. May be called twice.
function client:close() end

---@return boolean
function client:closed() end

---@class batchapi.core.Outcome
---@field ok boolean an answer with a status below 300 came whole
---@field status integer the server's, else 0
---@field headers table<string, string|string[]> names in lower case; set-cookie is a list
---@field trailers table<string, string>|nil
---@field attempts integer
---@field elapsed number
---@field reused boolean the last attempt went over a kept connection
---@field retryable boolean
---@field maybe_sent boolean false only if no byte can have reached the server
---@field file_bytes integer
---@field http_version string|nil
---@field body_cut boolean|nil an error's body was longer than what is kept of it
---@field retry_after number|nil
---@field kind string|nil if not ok
---@field code string|nil
---@field message string|nil

---@class batchapi.core.Attempt
---@field number integer from 1
---@field method string
---@field url string without secrets
---@field status integer|nil
---@field kind string|nil what went wrong
---@field message string|nil
---@field started number calendar seconds
---@field elapsed number
---@field bytes_sent integer
---@field bytes_received integer
---@field reused boolean
---@field retry_in number|nil seconds until the next attempt
---@field headers table<string, string> credentials as "***"

---One logical call: every attempt of it. Collected before its end, it is cancelled.
---@class batchapi.core.Call
local call = {}

---@return integer
function call:id() end

---What holds now; restart and ask_token are told once, renewed until the token was taken. Nil stands
---for false.
---@return boolean done, boolean|nil readable, boolean|nil writable, boolean|nil restart
---@return boolean|nil attempted, boolean|nil ask_token, boolean|nil renewed
function call:news() end

---Once it is done.
---@return batchapi.core.Outcome
function call:outcome() end

---Once it is done: what a response is made of (values, since Lua makes the table faster than C can).
---@param names string[][] four lists, under which headers request_id, limit, remaining and reset are told
---@return integer|nil status nil when the call failed
---@return table<string, string>|nil headers
---@return integer|nil attempts
---@return number|nil elapsed
---@return boolean|nil reused
---@return number|nil retry_after
---@return string|nil request_id
---@return number|nil limit
---@return number|nil remaining
---@return string|nil reset the text of that header
---@return boolean|nil is_json its Content-Type says so
---@return integer|nil file_bytes
---@return table<string, string>|nil trailers
function call:answer(names) end

---Once it is done: the answer in memory, or the body of an error answer.
---@return string
function call:body() end

---Once it is done: the body, decoded where it lies.
---@param options? batchapi.core.DecodeOptions
---@return any value, string|nil message, batchapi.core.Error|nil err
function call:json(options) end

---The oldest record that waits.
---@return batchapi.core.Attempt|nil
function call:next_attempt() end

---What a stream has received; nil when nothing waits.
---@return string|nil
function call:read() end

---@param bytes string
---@param from? integer position of the first byte to send
---@return integer taken
function call:write(bytes, from) end

function call:write_end() end

---The request is cut off and the call ends with this.
---@param message string
function call:write_fail(message) end

---@param token string
---@param lifetime? number
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function call:token_put(token, lifetime) end

---@param message string
function call:token_fail(message) end

---What the source of refresh tokens has now; with a refusal if it is the one that was refused.
---@param token string
---@return true|nil ok, string|nil message, batchapi.core.Error|nil err
function call:refresh_put(token) end

---The refresh token that renewed_token() gave is kept: the access token may be used.
---@param token string
function call:token_kept(token) end

---A refresh token that the server has renewed, given until it is kept. No call uses the access token
---before.
---@return string|nil
function call:renewed_token() end

---nginx's semaphore at that address is posted, once, when there are news.
---@param mailbox batchapi.core.Mailbox
---@param address number
---@param semaphore any what keeps it alive
---@param tell? boolean mailbox:drain() names the call too
function call:park(mailbox, address, semaphore, tell) end

---Cancels the call when nginx's request at that address ends; false when that is not possible.
---@param address number
---@return boolean
function call:bind(address) end

function call:cancel() end

---Gives back its body and all else; cancels it if it runs. Lua does not know how large a body is:
---who is done with one says so.
function call:release() end

return core
