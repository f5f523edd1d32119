-- OpenAI Files. A file's bytes are a range of a file on disk: for an upload, of the request body as nginx wrote it.
local body = require("body")
local boot = require("boot")
local clock = require("clock")
local disk = require("disk")
local fail = require("openai_error")
local json = require("json")
local settings = require("settings")
local store = require("store")

local M = {}
local PURPOSES = { assistants = true, batch = true, ["fine-tune"] = true, vision = true, user_data = true,
  evals = true }
local MONTH = 2592000


-- Azure looks through a file before it takes batches of it.
function M.is_pending(file)
  return file.azure and clock.now() < file.created + settings.get().azure.file_pending
end


-- The record as the service shows it.
function M.render(file)
  return {
    id = file.id, object = "file", purpose = file.purpose, filename = file.filename, bytes = file.bytes,
    created_at = math.floor(file.created), expires_at = file.expires_at or json.null,
    status = M.is_pending(file) and "pending" or "processed",
    status_details = json.null,
  }
end


-- Makes a file of a range: { purpose, filename, range, expires_after (seconds or nil), azure }.
function M.add(wish)
  local now = clock.now()
  local life = wish.expires_after or (wish.purpose == "batch" or wish.purpose == "batch_output") and MONTH
  local file = {
    id = store.new_id("file-", "file"), purpose = wish.purpose, filename = wish.filename, bytes = wish.range.length,
    created = now, expires_at = life and math.floor(now) + life, range = wish.range, azure = wish.azure,
  }
  store.put("file", file)
  return file
end


-- The file, unless it is unknown or its life is over.
function M.find(id)
  local file, now = store.get("file", id), clock.now()
  if file and not (json.given(file.expires_at) and now >= file.expires_at or file.dies_at and now >= file.dies_at) then
    return file
  end
end


-- The file as who asks for it finds it: not for a while after its upload, nor once its deletion was acknowledged.
local function shown(id)
  local file = M.find(id)
  if file and not file.dies_at and clock.now() >= file.created + settings.get().file_lookup_delay then
    return file
  end
end


-- When a file that is not there was deleted; nil: never.
function M.gone_at(id)
  return not M.find(id) and ngx.shared.state:get("gone:" .. id) or nil
end


-- Checks an expires_after object; gives its seconds, or nil and the refusal.
function M.expiry(anchor, seconds, name)
  if anchor == nil and seconds == nil then
    return nil
  end
  local number = tonumber(seconds)
  if anchor ~= "created_at" then
    return nil, fail(400, "Invalid value: '" .. tostring(anchor) .. "'. Supported values are: 'created_at'.",
      "invalid_value",
      name .. ".anchor")
  elseif not number or number % 1 ~= 0 or number < 3600 or number > MONTH then
    return nil, fail(400, "Invalid '" .. name .. ".seconds': expected an integer between 3600 and 2592000.",
      "invalid_value", name .. ".seconds")
  end
  return number
end


-- The body's place on disk, which outlives the request.
function M.keep(request_body)
  local path = boot.directory .. "/files/body-" .. store.serial("body")
  if request_body.range then
    disk.link(request_body.range.path, path)
  else
    local handle = assert(io.open(path, "wb"))
    assert(handle:write(request_body.text))
    assert(handle:close())
  end
  return path
end


-- Reads a form with one file. Gives fields, the file part and the body; or nil and the refusal.
local function read_form(request, file_field)
  local request_body = body.read()
  request.body = request_body
  local kind = request.headers["content-type"] or ""
  local parts, why = body.multipart(request_body, kind)
  if not parts then
    return nil, fail(kind:find("^multipart/") and 400 or 415, "Could not parse multipart form: " .. why)
  end
  local fields, file = {}, nil
  for _, part in ipairs(parts) do
    if part.name == file_field then
      file = part
    elseif part.name then
      fields[part.name] = part.text
    end
  end
  if not file then
    return nil, fail(400, "'" .. file_field .. "' is a required property", "missing_required_parameter", file_field)
  end
  return fields, file, request_body
end

M.read_form = read_form


local function check_upload(fields, file)
  local purpose = fields.purpose
  if not purpose then
    return fail(400, "'purpose' is a required property", "missing_required_parameter", "purpose")
  elseif not PURPOSES[purpose] then
    return fail(400, "'" .. purpose
      .. "' is not one of ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] "
      .. "- 'purpose'", "invalid_value", "purpose")
  elseif file.length > settings.get().max_file_bytes then
    return fail(413, "The file is too large: " .. file.length .. " bytes, the maximum is "
      .. settings.get().max_file_bytes
      .. ".", "request_entity_too_large", "file")
  elseif purpose == "batch" and (file.filename or "file"):find("%.[^.]*$") and not file.filename:find("%.jsonl$") then
    local refusal = fail(400, "Invalid file format for Batch API. Must be .jsonl", nil, "file")
    refusal.json.detail = { message = "Invalid file format for Batch API. Must be .jsonl" }
    return refusal
  end
end


function M.create(request)
  local fields, file, request_body = read_form(request, "file")
  if not fields then
    return file
  end
  local refusal = check_upload(fields, file)
  if refusal then
    return refusal
  end
  local seconds, why = M.expiry(fields["expires_after[anchor]"] or fields["expires_after.anchor"],
    fields["expires_after[seconds]"] or fields["expires_after.seconds"], "expires_after")
  if why then
    return why
  end
  local range = { path = M.keep(request_body), offset = file.offset, length = file.length }
  if fields.purpose == "batch" and not disk.is_utf8(range) then
    os.remove(range.path)
    return fail(400, "Invalid file format. The file must be utf-8 encoded.", "invalid_file_format", "file")
  end
  local record = M.add { purpose = fields.purpose, filename = file.filename or "upload", expires_after = seconds,
    range = range, azure = request.service.name:find("^azure") ~= nil }
  local answer = M.render(record)
  if not seconds then
    answer.expires_at = json.null -- as the service does: the date shows only later
  end
  return { status = 200, json = answer }
end


local function missing(id)
  return fail(404, "No such File object: " .. id, nil, "id")
end


function M.retrieve(request)
  local file = shown(request.params.file_id)
  return file and { status = 200, json = M.render(file) } or missing(request.params.file_id)
end


function M.delete(request)
  local file, delay = shown(request.params.file_id), settings.get().file_deletion_delay
  if not file then
    return missing(request.params.file_id)
  elseif delay > 0 then
    file.dies_at = clock.now() + delay
    store.put("file", file)
  else
    store.delete("file", file)
    os.remove(file.range.path)
  end
  ngx.shared.state:set("gone:" .. file.id, clock.now() + delay)
  return { status = 200, json = { id = file.id, object = "file", deleted = true } }
end


-- The answer's file must be whole files for sendfile; a range of a body becomes one when it is first asked for.
local function whole(file)
  local range = file.range
  if range.offset == 0 and range.length == disk.size(range.path) then
    return range.path:match("[^/]+$")
  end
  local path = boot.directory .. "/files/" .. file.id .. "-" .. store.serial("copy")
  disk.copy({ range }, path)
  if range.length == 0 then
    assert(io.open(path, "ab")):close()
  end
  file.range = { path = path, offset = 0, length = range.length }
  if store.get("file", file.id) then
    store.put("file", file)
    os.remove(range.path)
  end
  return path:match("[^/]+$")
end


function M.content(request)
  local file = shown(request.params.file_id)
  if not file then
    return missing(request.params.file_id)
  end
  return { file = whole(file), length = file.bytes, path = boot.directory .. "/files/",
    disposition = 'attachment; filename="' .. file.filename:gsub('["\\%c]', "_") .. '"' }
end


-- Reads a list's query; gives limit and the record to start after, or nil and the refusal.
function M.page(kind, maximum, default)
  local query = ngx.req.get_uri_args()
  local limit = query.limit == nil and default or tonumber(query.limit)
  if not limit or limit % 1 ~= 0 then
    return nil, fail(400, "Invalid type for 'limit': expected an integer.", "invalid_type", "limit")
  elseif limit < 1 or limit > maximum then
    local bound = limit < 1 and "minimum value. Expected a value >= 1" or "maximum value. Expected a value <= "
      .. maximum
    return nil, fail(400, "Invalid 'limit': integer " .. (limit < 1 and "below " or "above ") .. bound
      .. ", but got " .. limit .. " instead.", limit < 1 and "integer_below_min_value" or "integer_above_max_value",
        "limit")
  end
  local after, empty = nil, tonumber(tostring(query.after or "empty-0"):match("^empty%-(%d+)$"))
  if empty and empty < settings.get().empty_pages then
    return nil, { status = 200, json = { object = "list", data = json.array(), has_more = true,
      first_id = json.null, last_id = "empty-" .. empty + 1 } }
  elseif query.after and query.after ~= "" and not empty then
    after = store.get(kind, query.after)
    if not after then
      return nil, fail(400, "No such " .. kind .. ": '" .. query.after .. "'.", nil, "after")
    end
  end
  return limit, after, query
end


-- One page of records that `accept`, rendered.
function M.list_page(kind, limit, after, ascending, accept, render)
  local data, has_more = json.array(), false
  for record in store.each(kind, after, ascending) do
    if accept(record) then
      if #data == limit then
        has_more = true
        break
      end
      data[#data + 1] = render(record)
    end
  end
  local first, last = data[1], data[#data]
  return { status = 200, json = { object = "list", data = data, has_more = has_more, first_id = first and first.id
    or json.null,
    last_id = last and last.id or json.null } }
end


function M.list(_)
  local limit, after, query = M.page("file", 10000, 10000)
  if not limit then
    return after
  end
  if query.order and query.order ~= "asc" and query.order ~= "desc" then
    return fail(400, "Invalid value: '" .. tostring(query.order) .. "'. Supported values are: 'asc' and 'desc'.",
      "invalid_value", "order")
  end
  return M.list_page("file", limit, after, query.order == "asc", function(file)
    return (not query.purpose or file.purpose == query.purpose) and shown(file.id)
  end, M.render)
end


return M
