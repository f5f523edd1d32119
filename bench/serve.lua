-- The server of the benchmarks: nginx with one worker on a core of its own, on free
-- ports of the loopback interface, plain and TLS.

local M = {}

M.CLIENT_CORE, M.SERVER_CORE = 0, 1

-- 600 bytes, as a chat completion answers.
M.ANSWER = [[{"id":"chatcmpl-9f3c1d2e4b5a69788796a5b4c3d2e1f0","object":"chat.completion","created":1760000000,]]
  .. [["model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":]]
  .. [["The tracking page has shown \"in transit\" since Monday; the parcel left Utrecht on the 14th and should ]]
  .. [[reach Z\u00fcrich within two working days. If it has not, we will send a new one.","refusal":null},]]
  .. [["logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":83,"completion_tokens":41,]]
  .. [["total_tokens":124,"prompt_tokens_details":{"cached_tokens":0}},"system_fingerprint":"fp_44709d6fcb"}]]

local CONFIGURATION = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
worker_processes 1;
worker_cpu_affinity $mask;
worker_rlimit_nofile 16384;
pid $dir/nginx.pid;
error_log $dir/error.log warn;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
  sendfile on;
  tcp_nodelay on;
  default_type application/json;
  ssl_certificate $dir/cert.pem;
  ssl_certificate_key $dir/key.pem;
  ssl_protocols TLSv1.3;
  ssl_session_cache shared:tls:10m;
  init_by_lua_block {
    local file = io.open("$dir/answer.json")
    answer = file:read("*a")
    file:close()
  }
  server {
    listen 127.0.0.1:$plain backlog=4096;
    listen 127.0.0.1:$tls ssl backlog=4096;
    add_header x-request-id req_0123456789abcdef0123456789abcdef;
    add_header openai-organization bench;
    add_header openai-processing-ms 12;
    add_header openai-version 2020-10-01;
    add_header x-ratelimit-limit-requests 10000;
    add_header x-ratelimit-remaining-requests 9999;
    location = /v1/chat/completions {
      content_by_lua_block { ngx.req.read_body() ngx.header["Content-Length"] = #answer ngx.print(answer) }
    }
    location = /slow/chat/completions {
      content_by_lua_block {
        ngx.req.read_body() ngx.sleep(0.05) ngx.header["Content-Length"] = #answer ngx.print(answer)
      }
    }
    location = /v1/parked/chat/completions {
      lua_check_client_abort on; # or each run would leave its thousand here
      content_by_lua_block { ngx.req.read_body() ngx.sleep(600) ngx.print(answer) }
    }
    location = /v1/files {
      # Reads the upload and throws it away, in memory: the client is what is measured. With the buffer's default of
      # 4 KiB this would be the slower end: curl and batchapi wait for it half of their time.
      lua_socket_buffer_size 64k;
      content_by_lua_block {
        local socket, length = ngx.req.socket(), tonumber(ngx.var.http_content_length)
        if socket and length then
          while length > 0 do
            local bytes = socket:receiveany(65536)
            if not bytes then return ngx.exit(400) end
            length = length - #bytes
          end
        else
          ngx.req.read_body()
        end
        ngx.print('{"id":"file-bench","object":"file","bytes":', $big, ',"created_at":1760000000,',
          '"filename":"big.jsonl","purpose":"batch","status":"processed"}')
      }
    }
    location = /v1/files/file-bench/content { default_type application/octet-stream; alias $dir/big.jsonl; }
  }
}
]]


local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end


local function shell(command)
  return assert(os.execute(command), "failed: " .. command)
end


--- Starts the server.
-- @param big_bytes size of the file that can be downloaded, 0 for none
-- @return table with dir, plain, tls (addresses without path), ca (path) and stop()
function M.start(big_bytes)
  local pipe = io.popen("mktemp -d /tmp/batchapi-bench.XXXXXX")
  local directory = pipe:read("l")
  pipe:close()
  shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    .. " -addext subjectAltName=IP:127.0.0.1 -keyout " .. directory .. "/key.pem -out " .. directory
    .. "/cert.pem 2>/dev/null && chmod 755 " .. directory)
  write(directory .. "/answer.json", M.ANSWER)
  if big_bytes > 0 then
    local line = M.ANSWER .. "\n"
    local file = assert(io.open(directory .. "/big.jsonl", "w"))
    for _ = 1, big_bytes // #line do
      file:write(line)
    end
    file:write(("x"):rep(big_bytes % #line))
    file:close()
  end
  math.randomseed(os.time(), tonumber(tostring({}):match("0x(%x+)"), 16))
  for _ = 1, 50 do
    local plain = math.random(20000, 30000)
    local values = { dir = directory, plain = plain, tls = plain + 1, big = big_bytes,
      mask = M.SERVER_CORE == 1 and "10" or "01" }
    write(directory .. "/nginx.conf", (CONFIGURATION:gsub("%$(%l+)", function(name)
      return values[name] and tostring(values[name])
    end)))
    local nginx = "nginx -p " .. directory .. " -c " .. directory .. "/nginx.conf -e " .. directory .. "/error.log"
    if os.execute(nginx .. " 2>/dev/null") then
      return {
        dir = directory,
        ca = directory .. "/cert.pem",
        plain = "http://127.0.0.1:" .. plain,
        tls = "https://127.0.0.1:" .. plain + 1,
        stop = function()
          os.execute(nginx .. " -s stop 2>/dev/null")
          os.execute("rm -rf " .. directory)
        end,
      }
    end
  end
  os.execute("cat " .. directory .. "/error.log >&2; rm -rf " .. directory)
  error("the benchmark's server cannot be started")
end


return M
