--- A server for the binding's specs, on a unix socket (client setting `unix_socket`).
---
---   /delay/SECONDS      answers "SECONDS" after that time
---   /status/CODE        answers with that status and {"error":{"code":"c","message":"m"}}
---   /echo               answers with the request's body; X-Method and X-Seen say the rest
---   /json               answers with the request's body as JSON
---   /trailer            answers with the trailers X-Sum: abc and X-Took: 7
---   /headers            answers with the headers that the request's body, {"x-name":["value",…],…}, asks for
---   /drip/N             N lines, one every 10 ms, flushed one by one
---   /bytes/N            N bytes
---   /interrupt/PID      sends SIGINT to the process, then answers after 10 s
---   /flaky/NAME         503 once for each NAME, then the request's body
---   /counts             JSON: { "begun":…, "ended":…, "aborted":… } of the /delay requests
---   /wait_aborted/N     answers when N /delay requests were aborted, 504 after 10 s

local nginx = require("support.nginx")

local M = {}

local http = [[
  lua_shared_dict counts 1m;
  server {
    listen unix:SOCKET;
    lua_check_client_abort on;
    location /delay/ {
      content_by_lua_block {
        local counts = ngx.shared.counts
        local seconds = ngx.var.uri:match("^/delay/([%d.]+)")
        counts:incr("begun", 1, 0)
        ngx.on_abort(function()
          counts:incr("aborted", 1, 0)
          ngx.exit(499)
        end)
        ngx.sleep(tonumber(seconds))
        counts:incr("ended", 1, 0)
        ngx.print(seconds)
      }
    }
    location /status/ {
      content_by_lua_block {
        ngx.status = tonumber(ngx.var.uri:match("%d+"))
        ngx.header["Content-Type"] = "application/json"
        ngx.print('{"error":{"code":"c","message":"m"}}')
      }
    }
    location /echo {
      client_body_buffer_size 64m;
      content_by_lua_block {
        ngx.req.read_body()
        ngx.header["X-Method"] = ngx.req.get_method()
        ngx.header["X-Seen"] = { ngx.var.http_x_sent or "", "twice" }
        ngx.header["X-Authorization"] = ngx.var.http_authorization
        ngx.print(ngx.req.get_body_data() or "")
      }
    }
    location /json {
      content_by_lua_block {
        ngx.req.read_body()
        ngx.header["Content-Type"] = "application/json"
        ngx.print(ngx.req.get_body_data() or "")
      }
    }
    location /trailer {
      add_trailer X-Sum abc;
      add_trailer X-Took 7;
      content_by_lua_block {
        ngx.print("body")
      }
    }
    location /headers {
      content_by_lua_block {
        ngx.req.read_body()
        for name, values in pairs(require("cjson").decode(ngx.req.get_body_data())) do
          ngx.header[name] = values
        end
      }
    }
    location /drip/ {
      content_by_lua_block {
        for i = 1, tonumber(ngx.var.uri:match("%d+")) do
          ngx.print('{"line":', i, '}\n')
          ngx.flush(true)
          ngx.sleep(0.01)
        end
      }
    }
    location /bytes/ {
      content_by_lua_block {
        ngx.print(("x"):rep(tonumber(ngx.var.uri:match("%d+"))))
      }
    }
    location /interrupt/ {
      content_by_lua_block {
        os.execute("kill -INT " .. ngx.var.uri:match("%d+"))
        ngx.sleep(10)
      }
    }
    location /flaky/ {
      client_body_buffer_size 1m;
      content_by_lua_block {
        if ngx.shared.counts:incr(ngx.var.uri, 1, 0) == 1 then
          ngx.exit(503)
        end
        ngx.req.read_body()
        ngx.print(ngx.req.get_body_data() or "")
      }
    }
    location /counts {
      content_by_lua_block {
        local counts = ngx.shared.counts
        ngx.print(('{"begun":%d,"ended":%d,"aborted":%d}'):format(
          counts:get("begun") or 0, counts:get("ended") or 0, counts:get("aborted") or 0))
      }
    }
    location /wait_aborted/ {
      content_by_lua_block {
        local wanted = tonumber(ngx.var.uri:match("%d+"))
        for _ = 1, 1000 do
          if (ngx.shared.counts:get("aborted") or 0) >= wanted then
            return ngx.print(ngx.shared.counts:get("aborted"))
          end
          ngx.sleep(0.01)
        end
        ngx.exit(504)
      }
    }
  }
]]


--- Starts it: `server.socket`, `server:stop()`. It ends by TERM: nginx does not see a client that
--- hangs up in the moment after its request, so QUIT may wait for a /delay that nobody waits for.
function M.start()
  return nginx.start{ http = http, stop = "TERM" }
end


return M
