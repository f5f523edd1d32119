-- Work that is done when its connection is long gone, and work that is done twice, as by a network that delivers late
-- or doubles. README.md, the faults "late" and "double".
local body = require("body")

local M = {}
local epoch = 0 -- what is still to come when the sandbox is reset never does


-- Does the request's work again; nobody hears the answer.
local function work(request)
  local copy = {}
  for name, value in pairs(request) do
    copy[name] = value
  end
  local route = request.route
  body.give(request.body)
  local refusal = not route.options.open and route.service.authenticate(copy)
  local _ = refusal or route.handler(copy)
  body.give(nil)
end


-- Does it after so many seconds; the body must have been read.
function M.schedule(request, seconds)
  if not request.route then
    return
  end
  local text, began = body.text(request.body), epoch
  request.body = { text = text, size = #text }
  if seconds <= 0 then
    return work(request)
  end
  assert(ngx.timer.at(seconds, function(premature)
    if not premature and began == epoch then
      work(request)
    end
  end))
end


function M.reset()
  epoch = epoch + 1
end


return M
