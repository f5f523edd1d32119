--- `dry_run`: every request is completed and checked, parts are counted, nothing is written or
--- sent.

local drawing = require("batchapi.job.call.draw")
local errors = require("batchapi.util.errors")
local groups = require("batchapi.job.call.groups")
local input = require("batchapi.job.input.source")
local parts = require("batchapi.job.input.parts")
local requests_of = require("batchapi.job.input.request")

local M = {}

local MOST_FAULTS = 1000 -- that are named; all are counted


---@class batchapi.Rehearsal
---@field requests integer how many were read, broken ones not counted
---@field bytes integer what would be uploaded or sent
---@field parts table[] { part, first, requests, bytes } for each batch or call
---@field faults table[] { line, message }, the first thousand
---@field fault_count integer
---@field ok boolean there is no fault

local function add_fault(report, line, message)
  report.fault_count = report.fault_count + 1
  if report.fault_count <= MOST_FAULTS then
    report.faults[report.fault_count] = { line = line, message = message }
  end
end


--- Counts a request into the part it would be written to.
---@param begins boolean|nil a new one
local function place(report, sizes, length, inputs, index, begins)
  local part = report.parts[#report.parts]
  local full = begins or not part or sizes.requests and part.requests >= sizes.requests
    or sizes.bytes and part.bytes + length + sizes.between > sizes.bytes
    or sizes.inputs and part.inputs + inputs > sizes.inputs
  if full then
    part = { part = #report.parts + 1, first = index, requests = 0, bytes = sizes.frame, inputs = 0 }
    report.parts[#report.parts + 1] = part
    report.bytes = report.bytes + sizes.frame
  end
  part.requests, part.inputs = part.requests + 1, part.inputs + inputs
  part.bytes = part.bytes + length + sizes.between
  report.bytes = report.bytes + length + sizes.between
end


--- Counts the requests of calls: those at whose ends nothing can depend on one another any more.
---@param ahead integer how many must be known
local function place_calls(job, report, sizes, ahead)
  local kept = job.kept
  while #kept > 0 and #kept >= ahead do
    local count, rest = groups.cut(kept, sizes.requests, sizes.bytes), {}
    for i, item in ipairs(kept) do
      if i > count then
        rest[#rest + 1] = item
      else
        place(report, sizes, item.bytes - sizes.between, 0, item.index, i == 1)
      end
    end
    kept = rest
  end
  job.kept = kept
end


local function sizes_of(job)
  local limits, options = job.run.limits or {}, job.options
  local head, tail = parts.frame(job, 1)
  local requests, bytes = options.max_requests_per_batch or limits.requests, options.max_bytes_per_batch or limits.bytes
  if not job.has_parts then
    requests, bytes = drawing.limits(job)
  end
  return {
    requests = requests, bytes = bytes, inputs = limits.inputs and limits.inputs.max,
    between = job.run.family == "inline" and 2 or 1, frame = #head + #tail,
    together = groups.checker(job, requests or 1, bytes),
  }
end


local function check_one(job, report, sizes, text, id, inputs, line, request)
  if not job.ledger:add(id) then
    add_fault(report, line, ("'%s' %q stands twice"):format(job.run.request.id, id))
    return
  end
  local most, index = sizes.bytes, job.ledger:count()
  local together, why = sizes.together:add(index, id, request, #text)
  if not together then
    add_fault(report, line, why)
  elseif most and sizes.frame + #text + sizes.between > most then
    add_fault(report, line, ("the request is %d bytes long; a batch may have %d"):format(#text, most))
  elseif sizes.inputs and inputs > sizes.inputs then
    add_fault(report, line, ("the request has %d inputs; a batch may have %d"):format(inputs, sizes.inputs))
  else
    report.requests = report.requests + 1
    if job.has_parts then
      place(report, sizes, #text, inputs, index)
    else
      job.kept[#job.kept + 1] = { index = index, custom_id = id, bytes = #text + sizes.between,
        needs = groups.needs(job.run, request) }
      place_calls(job, report, sizes, groups.ahead(job.run, sizes.requests))
    end
  end
end


local MOST_SHOWN = 10

local report_mt = {
  __tostring = function(report)
    local lines = { ("%d requests, %d bytes, %d %s: %s"):format(report.requests, report.bytes, #report.parts,
      #report.parts == 1 and "part" or "parts",
      report.ok and "all is right, nothing was sent" or ("%d cannot be sent"):format(report.fault_count)) }
    for i = 1, math.min(#report.faults, MOST_SHOWN) do
      local fault = report.faults[i]
      lines[#lines + 1] = fault.line and ("  %d: %s"):format(fault.line, fault.message) or "  " .. fault.message
    end
    if report.fault_count > MOST_SHOWN then
      lines[#lines + 1] = ("  and %d more"):format(report.fault_count - MOST_SHOWN)
    end
    return table.concat(lines, "\n")
  end,
}


--- Reads all requests and reports.
---@param job table one that is in no directory
---@param requests any as given to run
---@return batchapi.Rehearsal|nil report
---@return string|nil message
---@return batchapi.Error|nil err
function M.run(job, requests)
  local source, why, err = input.open(job.outside, requests, job.client._settings.max_line_bytes)
  if not source then
    return errors.adopt("run", err, why)
  end
  job.machine:enter()
  local maker = requests_of.new(job.run, job.options, job.checker)
  local sizes = sizes_of(job)
  local report = { requests = 0, bytes = 0, parts = {}, faults = {}, fault_count = 0, ok = false }
  local index = 0
  while true do
    local value, raw, line = source.next()
    if value == nil and raw and not (line or {}).broken then
      return errors.adopt("run", line, raw)
    elseif value == nil and raw then
      add_fault(report, line.line, raw)
    elseif value == nil then
      break
    else
      index = index + 1
      local text, id, inputs = maker:prepare(value, raw, index)
      if text then
        check_one(job, report, sizes, text, id, inputs, line, value)
      else
        add_fault(report, line, id)
      end
    end
    job:breathe()
  end
  place_calls(job, report, sizes, 1)
  if source.close then
    source.close()
  end
  if index == 0 and report.fault_count == 0 then
    add_fault(report, nil, "there are no requests")
  end
  job.machine:stop()
  report.ok = report.fault_count == 0
  return setmetatable(report, report_mt)
end


return M
