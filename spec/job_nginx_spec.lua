-- runs on: luajit
local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local nginx = require("support.nginx")
local sandbox = require("support.sandbox")

local http = [[
  server {
    listen unix:SOCKET;
    location /ping {
      content_by_lua_block { ngx.print("pong") }
    }
    # Begins a job of n requests in one request, and gives its results in another.
    location /begin {
      content_by_lua_block {
        local batchapi = require("batchapi")
        local count, index = tonumber(ngx.var.arg_n), 0
        local client = assert(batchapi.openai{ base_url = ngx.var.arg_base, api_key = ngx.var.arg_key })
        local job, why = client:run(function()
          index = index + 1
          return index <= count and { body = { model = "m", messages = { { role = "user",
            content = ("x"):rep(500) .. index } } } } or nil
        end, { endpoint = "/v1/chat/completions", dir = ngx.var.arg_dir, interval = 0.1, max_requests_per_batch = 2000 })
        package.loaded.spec_job = job
        ngx.print(job and "begun" or why)
      }
    }
    location /results {
      content_by_lua_block {
        local results, count = package.loaded.spec_job:results(), 0
        while true do
          local result, why, err = results:next()
          if err then
            return ngx.print(why)
          elseif not result then
            break
          end
          count = count + (result.ok and 1 or 0)
        end
        ngx.print(count)
      }
    }
    # The longest time, in milliseconds, that the worker ran something else in one go.
    location /gap {
      content_by_lua_block {
        local longest, stop = 0, ngx.now() + tonumber(ngx.var.arg_seconds)
        while ngx.now() < stop and not package.loaded.spec_over do
          ngx.update_time()
          local before = ngx.now()
          ngx.sleep(0.002)
          ngx.update_time()
          longest = math.max(longest, ngx.now() - before)
        end
        ngx.print(longest * 1000)
      }
    }
    location /over {
      content_by_lua_block { package.loaded.spec_over = true }
    }
  }
]]


describe("a job in nginx", function()
  local server, dir

  setup(function()
    sandbox.reset()
    dir = jobs.dir()
    server = nginx.start{ http = http }
  end)

  teardown(function()
    jobs.clear()
    assert.are.equal("", server:stop())
  end)

  local function get(path)
    local pipe = assert(io.popen(("curl -sS -m 60 --unix-socket '%s' 'http://nginx%s'"):format(server.socket, path)))
    local text = pipe:read("*a")
    pipe:close()
    return text
  end

  it("is written, uploaded, collected and read while the worker goes on, across requests", function()
    local count = 6000
    local client = assert(batchapi.client({ name = "ping", base_url = "http://nginx", auth = "none",
      operations = { { name = "ping", method = "GET", path = "/ping", answer = "bytes" } } },
      { unix_socket = server.socket }))
    local out = os.tmpname()
    os.remove(out)
    os.execute(([[(curl -sS -m 60 --unix-socket '%s' 'http://nginx/gap?seconds=60' >'%s.gap') &]]):format(server.socket,
      out))
    os.execute(([[(curl -sS -m 60 --unix-socket '%s' 'http://nginx/begin?n=%d&base=%s&key=%s&dir=%s' >'%s.begin'; ]]
      .. [[curl -sS -m 60 --unix-socket '%s' 'http://nginx/results' >'%s.results'; ]]
      .. [[curl -sS -m 60 --unix-socket '%s' 'http://nginx/over'; mv '%s.results' '%s') &]]):format(server.socket, count,
      os.getenv("OPENAI_BASE_URL"), os.getenv("OPENAI_API_KEY"), dir, out, server.socket, out, server.socket, out, out))
    local deadline, pings = core.now() + 60, 0
    while not jobs.read(out) and core.now() < deadline do
      assert.are.equal("pong", (assert(client:ping())))
      pings = pings + 1
    end
    assert.are.equal("begun", jobs.read(out .. ".begin"))
    assert.are.equal(tostring(count), jobs.read(out))
    assert.is_true(pings > 50, pings .. " pings")
    local text, gap = get("/ping"), nil
    assert.are.equal("pong", text)
    for _ = 1, 100 do
      gap = tonumber(jobs.read(out .. ".gap"))
      if gap then
        break
      end
      get("/ping")
    end
    -- Without yielding it is most of a second, on a quiet machine.
    assert.is_true(gap and gap < 400, "the worker was held for " .. tostring(gap) .. " ms")
    os.execute(("rm -f '%s' '%s'.*"):format(out, out))
  end)
end)
