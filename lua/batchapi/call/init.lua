--- From a request as request.lua gives it to what a method returns: the value and the response, or
--- the failure triple.

local exchange = require("batchapi.call.send")
local failure = require("batchapi.call.failure")
local request = require("batchapi.call.request")
local response = require("batchapi.call.response")
local readable = require("batchapi.show").readable


--- The value of a successful call; nil, why and an error's kind when its answer cannot be read.
local function value_of(client, call, came, kind, is_json)
  if came.status == 204 or came.headers["content-length"] == "0" then
    return kind == "bytes" and "" or {}
  elseif kind == "bytes" or (kind == "text" and not is_json) then
    return call:body()
  end
  local value, message, err = client._codec.decode_call(call)
  if value == nil and call:body() == "" then
    return {} -- a success without a body, sent in chunks
  elseif value == nil and type(err) == "table" and err.kind == "too_large" then
    return nil, ("the answer (%d) is not decoded: %s"):format(came.status, tostring(message)), err.kind
  elseif value == nil then
    return nil, ("the answer (%d) is not JSON as it should be: %s"):format(came.status,
      tostring(message)), type(err) == "table" and err.kind or "decode"
  end
  return value
end


--- The value and the response of a call that has ended; nil when it failed; nil, why and an
--- error's kind, and the response, when its answer cannot be read.
local function success_of(client, call, to, kind)
  local came, is_json, bytes = response.take(call, client._names)
  if not came then
    return nil
  end
  if client._changes then
    client._changes(came.headers)
  end
  if to then
    return { path = to, bytes = bytes }, nil, came
  end
  local value, message, why = value_of(client, call, came, kind, is_json)
  if value == nil then
    return nil, message, why, came
  elseif type(value) == "table" and getmetatable(value) == nil then
    setmetatable(value, readable)
  end
  return value, nil, came
end


--- The failure triple of a call that failed, or could not begin.
local function failure_of(client, name, outcome, call, never_sent)
  if call then
    outcome = call:outcome()
    if client._changes then
      client._changes(outcome.headers)
    end
  end
  outcome.never_sent = never_sent
  return failure.of_outcome(client, name, outcome, call)
end


--- Runs a request to its end: the value and the response, or the failure triple. `kind` says how
--- the answer is read: "json", "text" (JSON if it says so) or "bytes"; a free request has a path in
--- place of a name.
local function perform(client, name, kind, wire, url, body, path)
  local to, never_sent = wire.to, wire.repeats == "never_sent" -- wire is the exchange's from now on
  local call, outcome = exchange.run(client._context, wire, url, body)
  local value, message, extra, came
  if call then
    value, message, extra, came = success_of(client, call, to, kind)
  end
  if value == nil then
    name = name or request.free_name(wire.method, path)
    if came then
      value, message, extra = failure.of_answer(client, name, came, message, extra)
    else
      value, message, extra = failure_of(client, name, outcome, call, never_sent)
    end
  end
  if call then
    exchange.release(call) -- its body may be large, and Lua's collector cannot know
  end
  return value, message, extra
end


return perform
