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
---@field timeout? number seconds for a whole call: connecting, sending, receiving and every retry between; file transfers have none unless it is given
---@field connect_timeout? number seconds to connect, each attempt
---@field stall_timeout? number seconds without a byte in either direction; not while the server thinks: from the last byte sent to the answer's first only timeout counts (600 s in file transfers, unless it is given)
---@field max_retries? number attempts after the first
---@field max_connections? number calls in flight at once; further ones wait
---@field proxy? string URL of a proxy; "" for none; else the environment's
---@field ca_file? string PEM file of the authorities to trust, in the system's place
---@field client_cert? string PEM file of a client certificate
---@field client_key? string PEM file of its key
---@field unix_socket? string path of a socket to connect to in the host's place
---@field http_version? string else the best both sides know; "2" is a wish, which a server that has only 1.1 does not fulfil
---@field user_agent? string the User-Agent header
---@field headers? table headers sent with every request
---@field on_request? function function(attempt), called after each attempt; secrets are removed
---@field max_header_bytes? number cap on an answer's headers; libcurl takes no more than 307200
---@field max_body_bytes? number cap on an answer kept in memory, after decompression
---@field max_line_bytes? number cap on one line of a JSONL answer
---@field max_json_depth? number cap on nesting in an answer
---@field max_json_values? number cap on the values of an answer that are decoded; an array or object counts as 8
---@field big_integers? string what an integer in an answer becomes that this Lua's numbers do not hold (2^53 on 5.1, 5.2 and LuaJIT, else 64 bits): "float" (its nearest number, the default), "text" (its digits), or on LuaJIT "cdata"
---@field allow_insecure? boolean send credentials over plain http to another machine
---@field token? function|string a bearer token, or a function that returns one and its lifetime in seconds
---@field on_token? function function(refresh_token), called when the server has renewed it, to be stored
---@field api_key_file? string file that holds the key; read by the core
---@field host? string|table how calls wait; a table is an event loop of your own
---@field json? table a codec in the built-in one's place: encode and decode as lua-cjson has them
---@field on_change? function function(change), called once for each change the service announces

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

--- Starts a batch from an uploaded file of requests.
---@async
---@param body { input_file_id: string, endpoint: string, completion_window: string, metadata?: table<string, string>, output_expires_after?: { anchor: "created_at", seconds: integer } }
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

--- Uploads a file, streamed from disk.
---@async
---@param body { purpose: string, file: string|batchapi.File, expires_after?: { anchor: "created_at", seconds: integer } }
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

--- Begins an upload in parts.
---@async
---@param body { filename: string, purpose: string, bytes: integer, mime_type: string, expires_after?: { anchor: "created_at", seconds: integer } }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_upload(body) end

--- Adds one part (at most 64 MB) to an upload.
---@async
---@param upload_id string id of an upload
---@param body { data: string|batchapi.File }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:add_upload_part(upload_id, body) end

--- Ends an upload and makes the file of its parts.
---@async
---@param upload_id string id of an upload
---@param body { part_ids: string[], md5?: string }
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

--- One chat completion, at once: what a batch does by the thousand.
---@async
---@param body { model: string, stream?: boolean, messages: table[] }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_chat_completion(body) end

--- One answer of a model, at once.
---@async
---@param body { model?: string, stream?: boolean, input?: any }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function openai:create_response(body) end

--- The vectors of texts.
---@async
---@param body { model: string, input: any }
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


---@class batchapi.asana.Options: batchapi.Options
---@field access_token? string
---@field oauth? table|string
---@field enable? string[] announced changes to have already
---@field disable? string[] announced changes not to have yet
---@field requests_per_minute? integer actions started per minute (Asana allows 150 to free domains, 1,500 to paid ones)

--- Asana batch API
---@class batchapi.asana: batchapi.Client
local asana = {}

--- Runs up to ten actions; data[i] of the answer belongs to actions[i].
---@async
---@param body { data: { actions: ({ relative_path: string, method: "get"|"post"|"put"|"delete"|"patch"|"head", data?: table<string, any>, options?: { limit?: integer, offset?: string, fields?: string[], expand?: string[] } })[] } }
---@param query? { opt_fields?: ("body"|"headers"|"status_code")[], opt_pretty?: boolean }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function asana:create_batch_request(body, query) end


---@class batchapi.factset.Options: batchapi.Options
---@field app_config? table|string
---@field username? string
---@field api_key? string

--- FactSet Asset Cash Flow Projections
---@class batchapi.factset: batchapi.Client
local factset = {}

--- Starts a batch for one document.
---@async
---@param body { data: { documentName: string } }
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

--- Saves a document under another name, with changes.
---@async
---@param body { data: { existingDocumentName: string, newDocumentName: string, asOfDate?: string, portfolios?: string[], scenarios?: string[] } }
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

--- Changes a document.
---@async
---@param documentPath string full name of a document
---@param body { data: { asOfDate?: string, portfolios?: string[], scenarios?: string[] } }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function factset:put_document(documentPath, body) end

--- Announces a scenario file; the answer holds the URL to send it to.
---@async
---@param body { data: { fileName: string, asOfDate: string, overwrite?: boolean, replaceSpecialCharacters?: boolean } }
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

--- Starts a batch from an uploaded file of requests.
---@async
---@param body { input_file_id: string, endpoint: string, completion_window: string, metadata?: table<string, string>, output_expires_after?: { anchor: "created_at", seconds: integer } }
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

--- Uploads a file, streamed from disk.
---@async
---@param body { purpose: string, file: string|batchapi.File, expires_after?: { anchor: "created_at", seconds: integer } }
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


---@class batchapi.groq.Options: batchapi.Options
---@field api_key? string
---@field organization? string organization the calls are booked on
---@field project? string project the calls are booked on

--- Groq Batch API (OpenAI-compatible)
---@class batchapi.groq: batchapi.Client
local groq = {}

--- Starts a batch from an uploaded file of requests.
---@async
---@param body { input_file_id: string, endpoint: string, completion_window: string, metadata?: table<string, string>, output_expires_after?: { anchor: "created_at", seconds: integer } }
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

--- Uploads a file, streamed from disk.
---@async
---@param body { purpose: string, file: string|batchapi.File, expires_after?: { anchor: "created_at", seconds: integer } }
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

--- One chat completion, at once: what a batch does by the thousand.
---@async
---@param body { model: string, stream?: boolean, messages: table[] }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function groq:create_chat_completion(body) end

--- One answer of a model, at once.
---@async
---@param body { model?: string, stream?: boolean, input?: any }
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


---@class batchapi.anthropic.Options: batchapi.Options
---@field api_key? string
---@field auth_token? string
---@field version? string version of the API
---@field beta? string[] beta features

--- Anthropic Message Batches
---@class batchapi.anthropic: batchapi.Client
local anthropic = {}

--- Starts a batch of Messages requests.
---@async
---@param body { requests: ({ custom_id: string, params: table })[] }
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


---@class batchapi.mistral.Options: batchapi.Options
---@field api_key? string

--- Mistral batch jobs
---@class batchapi.mistral: batchapi.Client
local mistral = {}

--- Starts a job from uploaded files of requests.
---@async
---@param body { input_files?: string[], requests?: table[], endpoint: string, model?: string, timeout_hours?: integer, metadata?: table<string, string> }
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

--- Uploads a file, streamed from disk.
---@async
---@param body { purpose?: string, file: string|batchapi.File }
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


---@class batchapi.msgraph.Options: batchapi.Options
---@field access_token? string

--- Microsoft Graph JSON batching
---@class batchapi.msgraph: batchapi.Client
local msgraph = {}

--- Runs up to twenty requests; the answers come in any order, matched by id.
---@async
---@param body { requests: ({ id: string, method: "GET"|"POST"|"PUT"|"PATCH"|"DELETE", url: string, headers?: table<string, string>, body?: any, dependsOn?: string[] })[] }
---@return table|nil answer
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function msgraph:create_batch(body) end
