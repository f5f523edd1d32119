-- OpenAI Uploads: parts that become one file.
local body = require("body")
local boot = require("boot")
local clock = require("clock")
local disk = require("disk")
local fail = require("openai_error")
local files = require("openai_files")
local json = require("json")
local store = require("store")

local M = {}
local MAX_BYTES = 8 * 1024 * 1024 * 1024
local MAX_PART = 64 * 1024 * 1024
local LIFE = 3600


local function render(upload)
  local file = json.given(upload.file_id) and store.get("file", upload.file_id)
  return {
    id = upload.id, object = "upload", bytes = upload.bytes, created_at = math.floor(upload.created),
    expires_at = math.floor(upload.created) + LIFE, filename = upload.filename, purpose = upload.purpose,
    status = upload.status, file = file and files.render(file) or json.null,
  }
end


local required = { { "bytes", "number" }, { "filename", "string" }, { "mime_type", "string" }, { "purpose", "string" } }


function M.create(request)
  request.body = body.read()
  local wish = body.json(request.body)
  if not wish then
    return fail(400, "We could not parse the JSON body of your request.")
  end
  for _, rule in ipairs(required) do
    local name, kind = rule[1], rule[2]
    local value = json.given(wish[name])
    if value == nil then
      return fail(400, "Missing required parameter: '" .. name .. "'.", "missing_required_parameter", name)
    elseif type(value) ~= kind then
      return fail(400, "Invalid type for '" .. name .. "': expected a " .. kind .. ".", "invalid_type", name)
    end
  end
  if wish.bytes < 1 or wish.bytes > MAX_BYTES then
    return fail(400, "Invalid 'bytes': expected a value between 1 and " .. MAX_BYTES .. ".", "invalid_value", "bytes")
  end
  local expires = json.given(wish.expires_after) or {}
  local seconds, refusal = files.expiry(expires.anchor, expires.seconds, "expires_after")
  if refusal then
    return refusal
  end
  local upload = {
    id = store.new_id("upload_", "upload"), bytes = wish.bytes, filename = wish.filename, purpose = wish.purpose,
    status = "pending", created = clock.now(), expires_after = seconds,
  }
  store.put("upload", upload)
  return { status = 200, json = render(upload) }
end


-- The pending upload a request names, or nil and the refusal.
local function pending(request)
  local upload = store.get("upload", request.params.upload_id)
  if not upload then
    return nil, fail(404, "No such Upload object: " .. request.params.upload_id, nil, "upload_id")
  end
  if upload.status == "pending" and clock.now() >= upload.created + LIFE then
    upload.status = "expired"
    store.put("upload", upload)
  end
  if upload.status ~= "pending" then
    return nil, fail(400, "Upload " .. upload.id .. " is " .. upload.status .. ".", "invalid_upload_status",
      "upload_id")
  end
  return upload
end


function M.add_part(request)
  local fields, part, request_body = files.read_form(request, "data")
  if not fields then
    return part
  end
  local upload, refusal = pending(request)
  if not upload then
    return refusal
  end
  if part.length > MAX_PART then
    return fail(413, "The part is larger than 64 MB.", "request_entity_too_large", "data")
  end
  local record = {
    id = store.new_id("part_", "part"), upload_id = upload.id, created = clock.now(),
    range = { path = files.keep(request_body), offset = part.offset, length = part.length },
  }
  store.put("part", record)
  return { status = 200, json = { id = record.id, object = "upload.part", created_at = math.floor(record.created),
    upload_id = upload.id } }
end


local function ranges_of(upload, part_ids)
  local ranges, total = {}, 0
  for _, id in ipairs(part_ids) do
    local part = store.get("part", tostring(id))
    if not part or part.upload_id ~= upload.id then
      return nil, fail(400, "No such part: " .. tostring(id), nil, "part_ids")
    end
    ranges[#ranges + 1] = part.range
    total = total + part.range.length
  end
  if total ~= upload.bytes then
    return nil, fail(400, "The parts have " .. total .. " bytes, but the upload was created with " .. upload.bytes
      .. ".",
      "invalid_upload_bytes", "bytes")
  end
  return ranges
end


function M.complete(request)
  request.body = body.read()
  local wish = body.json(request.body)
  if not wish or type(wish.part_ids) ~= "table" or #wish.part_ids == 0 then
    return fail(400, "Missing required parameter: 'part_ids'.", "missing_required_parameter", "part_ids")
  end
  local upload, refusal = pending(request)
  if not upload then
    return refusal
  end
  local ranges, why = ranges_of(upload, wish.part_ids)
  if not ranges then
    return why
  end
  upload.status = "completed" -- before the copy, during which another request may have its turn
  store.put("upload", upload)
  local path = boot.directory .. "/files/upload-" .. store.serial("joined")
  disk.copy(ranges, path)
  local file = files.add { purpose = upload.purpose, filename = upload.filename,
    expires_after = json.given(upload.expires_after),
    range = { path = path, offset = 0, length = upload.bytes } }
  upload.file_id = file.id
  store.put("upload", upload)
  for _, range in ipairs(ranges) do
    os.remove(range.path)
  end
  return { status = 200, json = render(upload) }
end


function M.cancel(request)
  local upload, refusal = pending(request)
  if not upload then
    return refusal
  end
  upload.status = "cancelled"
  store.put("upload", upload)
  return { status = 200, json = render(upload) }
end


return M
