-- FactSet Asset Cash Flow Projections: batches over documents, documents, scenarios.
local body = require("body")
local boot = require("boot")
local clock = require("clock")
local json = require("json")
local settings = require("settings")
local store = require("store")
local tokens = require("tokens")
local totals = require("totals")

local M = {}
local state = ngx.shared.state
local BASIC = "SANDBOX-123456:sandbox-factset-key"
local TITLES = { [400] = { "BadRequest", "Bad Request" }, [404] = { "NotFound", "Not Found" }, [409] = { "Conflict",
  "Conflict" } }


-- The service's error body; only 400, 404 and 409 have one.
local function fail(status, detail, _, pointer)
  local title = TITLES[status]
  return { status = status, body = "", json = title and { errors = { { id = ngx.md5(tostring(clock.now()) .. detail),
    code = title[1],
    title = title[2], detail = detail, source = { parameter = json.null, pointer = pointer or json.null } } } } or nil }
end


local function bearer_fault(token)
  if tokens.find("factset", token) then
    return nil
  elseif not token:find("^[%w_%-]+$") then
    return { status = 302, body = "", headers = { Location = "http://127.0.0.1:" .. boot.port("OTHER") .. "/login" } }
  end
  return { status = 401, headers = { ["www-authenticate"] = "FactSet-JWT", ["Content-Type"] = "text/html" },
    body = "<html><head><title>401 Authorization Required</title></head><body>Unauthorized</body></html>\n" }
end


local function authenticate(request)
  local header = request.headers["authorization"]
  header = type(header) == "string" and header or ""
  local bearer = header:match("^[Bb]earer (.+)$")
  if bearer then
    return bearer_fault(bearer)
  end
  local basic = header:match("^[Bb]asic (.+)$")
  if not basic or ngx.decode_base64(basic) ~= BASIC then
    return { status = 401, body = "" }
  end
end


-- Rate limit of a window on the virtual clock; the headers go on every answer but 401, 500 and 503.
local function finish(request, response)
  response.headers = response.headers or {}
  response.headers["X-DataDirect-Request-Key"] = request.id
  if response.status == 401 then
    return
  end
  response.headers["X-FactSet-Api-Request-Key"] = request.id:sub(-16)
  local rate = request.rate
  if rate and response.status ~= 500 and response.status ~= 503 then
    response.headers["X-FactSet-Api-RateLimit-Limit"] = rate.limit
    response.headers["X-FactSet-Api-RateLimit-Remaining"] = rate.remaining
    response.headers["X-FactSet-Api-RateLimit-Reset"] = rate.reset
  end
end


local function over_the_limit(request)
  local rules, now = settings.get().factset, clock.now()
  local window = math.floor(now / rules.rate_window)
  local used = state:incr("factset:window:" .. window, 1, 0, 3600)
  local reset = math.max(1, math.ceil((window + 1) * rules.rate_window - now))
  request.rate = { limit = rules.rate_limit, remaining = math.max(0, rules.rate_limit - used), reset = reset }
  if used > rules.rate_limit then
    return { status = 429, body = "", headers = { ["Retry-After"] = reset } }
  end
end


-- Wraps a handler with the rate limit.
local function limited(handler)
  return function(request)
    return over_the_limit(request) or handler(request)
  end
end


-- The `data` object of a JSON body, or nil and the refusal.
local function data_of(request)
  request.body = body.read()
  local wish = body.json(request.body)
  local data = wish and json.given(wish.data)
  if type(data) ~= "table" then
    return nil, fail(400, "The request body must be an object with data.", nil, "/data")
  end
  return data
end


local function need(data, names)
  for _, name in ipairs(names) do
    if type(data[name]) ~= "string" or data[name] == "" then
      return fail(400, name .. " is required and must be a string.", nil, "/data/" .. name)
    end
  end
end


-- The document of a name: one that was saved, or, for names like "Client:...", one that is simply there.
local function find_document(name)
  local record = store.get("document", name)
  if record then
    return record
  elseif name:find("^Client:") and not name:find("[Mm]issing") then
    return { id = name, asOfDate = "2026-01-31", portfolios = { "Client:/ACFP/PORTFOLIO.OFDB" },
      scenarios = { "Client:BASE.CSV", "Client:UP100" } }
  end
end


local function post_batch(request)
  local data, refusal = data_of(request)
  refusal = refusal or need(data, { "documentName" })
  if refusal then
    return refusal
  end
  local name = data.documentName
  local status = name:match("fail%-(%d%d%d)")
  if status then
    return fail(tonumber(status), "The request asked to fail with status " .. status .. ".")
  elseif not find_document(name) then
    return fail(404, "The document '" .. name .. "' was not found.", nil, "/data/documentName")
  end
  local id = store.new_id("", "factset_batch")
  id = id:sub(1, 8) .. "-" .. id:sub(9, 12) .. "-" .. id:sub(13, 16) .. "-" .. id:sub(17, 20) .. "-" .. id:sub(21)
    .. "00000000"
  store.put("factset_batch", { id = id, document = name, created = clock.now() })
  totals.count("factset_batches", name)
  return { status = 202, json = { data = { batchId = id } } }
end


local function status_of(batch)
  local rules, age = settings.get().factset, clock.now() - batch.created
  if age < rules.queued then
    return "queued"
  elseif age < rules.queued + rules.executing or batch.document:find("endless") then
    return "executing"
  end
  return batch.document:find("cancelled") and "cancelled" or "completed"
end


local function find_batch(request)
  local batch = store.get("factset_batch", request.params.batchId)
  if not batch then
    return nil, fail(404, "The batch '" .. request.params.batchId .. "' was not found.")
  end
  return batch
end


local function get_batch_status(request)
  local batch, refusal = find_batch(request)
  if not batch then
    return refusal
  end
  local status = status_of(batch)
  local ended = status == "completed" or status == "cancelled"
  return { status = ended and 201 or 202, json = { data = { batchId = batch.id, status = status } } }
end


local function message(title, detail)
  return { id = json.null, code = "Error/Warning Messages", title = title, detail = detail,
    source = { parameter = json.null, pointer = json.null } }
end


-- One job for each portfolio and scenario; a document with "failed-job" in its name fails in the first.
local function jobs_of(batch, status)
  local document, jobs = find_document(batch.document) or { portfolios = {}, scenarios = {} }, json.array()
  for _, portfolio in ipairs(document.portfolios) do
    for _, scenario in ipairs(document.scenarios) do
      local state_of_job = status == "cancelled" and "cancelled" or "created"
      local errors, warnings = json.array(), json.array()
      if #jobs == 0 and batch.document:find("failed%-job") then
        state_of_job = "failed"
        errors[1] = message("Calculation failed", "The scenario could not be applied to the portfolio.")
      elseif #jobs == 0 then
        warnings[1] = message("Missing prices", "2 positions have no price.")
      end
      jobs[#jobs + 1] = { jobId = batch.id .. "-" .. #jobs + 1, name = portfolio .. "-" .. scenario,
        duration = "00:00:12",
        status = state_of_job, logs = { errors = errors, warnings = warnings } }
    end
  end
  return jobs
end


local function get_batch_job_result(request)
  local batch, refusal = find_batch(request)
  if not batch then
    return refusal
  end
  local status = status_of(batch)
  if status ~= "completed" and status ~= "cancelled" then
    return fail(404, "The batch '" .. batch.id .. "' has no result yet.")
  end
  return { status = 200, json = { data = { id = batch.serial, duration = "00:00:24", name = batch.document,
    runDate = os.date("!%Y-%m-%d", math.floor(batch.created)), status = status, jobs = jobs_of(batch, status) },
    meta = { batchId = batch.id } } }
end


local function list_documents(_)
  local directory = ngx.req.get_uri_args().directoryPath
  if type(directory) ~= "string" or directory == "" then
    return fail(400, "directoryPath is required.", nil, "directoryPath")
  end
  local documents = json.array()
  for record in store.each("document") do
    if record.id:sub(1, #directory) == directory then
      documents[#documents + 1] = record.id
    end
  end
  return { status = 200, json = { data = { documents = documents, directories = json.array { directory
    .. ":/ACFP" } } } }
end


local function save_document(request)
  local data, refusal = data_of(request)
  refusal = refusal or need(data, { "existingDocumentName", "newDocumentName" })
  if refusal then
    return refusal
  end
  local source = find_document(data.existingDocumentName)
  if not source then
    return fail(404, "The document '" .. data.existingDocumentName .. "' was not found.")
  elseif store.get("document", data.newDocumentName) then
    return fail(409, "The document '" .. data.newDocumentName .. "' exists already.")
  end
  store.put("document", { id = data.newDocumentName, asOfDate = json.given(data.asOfDate) or source.asOfDate,
    portfolios = json.given(data.portfolios) or source.portfolios, scenarios = json.given(data.scenarios)
      or source.scenarios })
  return { status = 201, body = "" }
end


local function get_document(request)
  local document = find_document(request.params.documentPath)
  if not document then
    return fail(404, "The document '" .. request.params.documentPath .. "' was not found.")
  end
  return { status = 200, json = { data = { asOfDate = document.asOfDate, portfolios = json.array(document.portfolios),
    scenarios = json.array(document.scenarios) } } }
end


local function update_document(request)
  local data, refusal = data_of(request)
  local document = find_document(request.params.documentPath)
  if not data then
    return refusal
  elseif not document then
    return fail(404, "The document '" .. request.params.documentPath .. "' was not found.")
  end
  for _, name in ipairs { "asOfDate", "portfolios", "scenarios" } do
    document[name] = json.given(data[name]) or document[name]
  end
  store.put("document", document)
  return { status = 204, body = "" }
end


local SCENARIO_FIELDS = { fileName = true, asOfDate = true, overwrite = true, replaceSpecialCharacters = true }
local EXTENSIONS = { csv = true, scn = true, fac = true, rts = true }


local function scenario_fault(data)
  for name in pairs(data) do
    if not SCENARIO_FIELDS[name] then
      return fail(400, "The field " .. name .. " is not known.", nil, "/data/" .. name)
    end
  end
  local extension = data.fileName:match("%.(%a+)$") or ""
  if #data.fileName > 41 or not EXTENSIONS[extension:lower()] or extension ~= extension:lower()
    and extension ~= extension:upper() then
    return fail(400, "fileName has at most 41 characters and ends in csv, scn, fac or rts.", nil, "/data/fileName")
  elseif not data.asOfDate:find("^%d%d%d%d%-%d%d%-%d%d$") then
    return fail(400, "asOfDate must be a date.", nil, "/data/asOfDate")
  elseif data.fileName:find("[^%w_%-%.]") and data.replaceSpecialCharacters ~= true then
    return fail(400, "fileName has special characters.", nil, "/data/fileName")
  end
end


local function upload_scenario(request)
  local data, refusal = data_of(request)
  refusal = refusal or need(data, { "fileName", "asOfDate" }) or scenario_fault(data)
  if refusal then
    return refusal
  end
  if store.get("scenario_name", data.fileName) and data.overwrite ~= true then
    return fail(409, "The file '" .. data.fileName .. "' exists already.")
  end
  local upload = { id = store.new_id("", "scenario"), fileName = data.fileName, asOfDate = data.asOfDate,
    created = clock.now() }
  store.put("scenario", upload)
  store.put("scenario_name", { id = data.fileName })
  return { status = 202, json = { data = { uploadId = upload.id, fileName = upload.fileName,
    signedUrl = boot.app.wellKnownUri:match("^https?://[^/]+") .. "/signed/" .. upload.id,
    expirationTime = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(upload.created) + 14400) } } }
end


local function scenario_status(request)
  local upload = store.get("scenario", request.params.uploadId)
  if not upload then
    return fail(404, "The upload '" .. request.params.uploadId .. "' was not found.")
  end
  local rules, age = settings.get().factset, clock.now() - upload.created
  local status = age < rules.queued and "queued" or age < rules.queued + rules.executing and "executing" or "created"
  return { status = status == "created" and 201 or 202, json = { data = { uploadId = upload.id,
    fileName = upload.fileName,
    asOfDate = upload.asOfDate, type = "FactSet", acfpStatus = status == "created" and "good" or "validating",
      status = status,
    uploadDateTime = status == "created" and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(upload.created)) or json.null,
    numberOfScenarios = 1 } } }
end


M.services = { {
  name = "factset",
  prefix = "/analytics/asset-cash-flow-projections/v0",
  routes = {
    { "POST", "/batch", limited(post_batch), "post_batch" },
    { "GET", "/batch/{batchId}/status", limited(get_batch_status), "get_batch_status" },
    { "GET", "/batch/{batchId}/result", limited(get_batch_job_result), "get_batch_job_result" },
    { "GET", "/documents", limited(list_documents), "get_documents" },
    { "POST", "/documents", limited(save_document), "post_document" },
    { "GET", "/documents/{documentPath}", limited(get_document), "get_document" },
    { "PUT", "/documents/{documentPath}", limited(update_document), "put_document" },
    { "POST", "/scenarios", limited(upload_scenario), "post_scenario" },
    { "GET", "/scenarios/{uploadId}/status", limited(scenario_status), "get_scenario_status" },
  },
  authenticate = authenticate,
  fail = fail,
  finish = finish,
  no_route = function(_, wrong_method)
    return { status = wrong_method and 405 or 404, body = "" }
  end,
} }

return M
