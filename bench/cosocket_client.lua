--- What one writes in OpenResty without batchapi: HTTP/1.1 over cosockets, kept connections, the
--- answer's headers as a table, its body by length or in chunks. It has the shape of
--- lua-resty-http's request, and does no less on the wire; it is here to be measured against.

local M = {}

local tcp, tonumber = ngx.socket.tcp, tonumber


local function read_headers(sock)
  local headers = {}
  while true do
    local line, why = sock:receive("*l")
    if not line then
      return nil, why
    end
    if line == "" then
      return headers
    end
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if not name then
      return nil, "a header that is none"
    end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
end


local function read_chunks(sock)
  local chunks, count = {}, 0
  while true do
    local line, why = sock:receive("*l")
    local size = line and tonumber(line:match("^%x+"), 16)
    if not size then
      return nil, why or "a chunk without a size"
    end
    if size > 0 then
      count = count + 1
      chunks[count], why = sock:receive(size)
      if not chunks[count] then
        return nil, why
      end
    end
    if not sock:receive("*l") then
      return nil, "closed"
    end
    if size == 0 then
      return table.concat(chunks)
    end
  end
end


--- One request. options: host, port, path, headers (a prepared text), tls (server name), verify,
--- keep (false: the connection is closed afterwards).
---@return table|nil response { status, headers, body }, string|nil why
function M.request(options)
  local sock = tcp()
  sock:settimeouts(5000, 60000, 600000)
  local ok, why = sock:connect(options.host, options.port)
  if ok and options.tls and sock:getreusedtimes() == 0 then
    ok, why = sock:sslhandshake(nil, options.tls, options.verify)
  end
  if ok then
    ok, why = sock:send({ "GET ", options.path, " HTTP/1.1\r\n", options.headers, "\r\n" })
  end
  local line
  if ok then
    line, why = sock:receive("*l")
  end
  local status = line and tonumber(line:match("^HTTP/1%.%d (%d%d%d)"))
  if not status then
    sock:close()
    return nil, why or "no status"
  end
  local headers, body
  headers, why = read_headers(sock)
  if headers then
    local length = tonumber(headers["content-length"])
    if length then
      body, why = sock:receive(length)
    else
      body, why = read_chunks(sock)
    end
  end
  if not body then
    sock:close()
    return nil, why
  end
  if options.keep == false or headers.connection == "close" then
    sock:close()
  else
    sock:setkeepalive(60000, 256)
  end
  return { status = status, headers = headers, body = body }
end


return M
