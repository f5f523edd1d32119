-- OpenAI's error body, in a module of its own because all of the service's modules need it.
local json = require("json")


return function(status, message, code, param, kind)
  return {
    status = status,
    json = { error = { message = message, type = kind or "invalid_request_error", param = param or json.null,
      code = code or json.null } },
  }
end
