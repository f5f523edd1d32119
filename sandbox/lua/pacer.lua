-- Gives requests their turn during long work: pacer() returns a function to call once per line.
local TURN = 0.02 -- seconds of work between turns


return function()
  local count = 0
  ngx.update_time()
  local started = ngx.now()
  return function()
    count = count + 1
    if count % 16 == 0 then
      ngx.update_time()
      if ngx.now() - started > TURN then
        ngx.sleep(0.001)
        started = ngx.now()
      end
    end
  end
end
