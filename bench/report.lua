-- What the benchmarks share: running a command under bench/measure, medians over rounds,
-- and the closing lines `ratio NAME VALUE` that a script can read.

local M = {}

local measure = "build-bench/bench/measure"


--- Installs the Node clients that are measured beside us, when they are not there yet.
function M.node_clients()
  assert(os.execute("cmp -s bench/node/package-lock.json bench/node/node_modules/.batchapi-lock"
    .. " || { npm ci --prefix bench/node --no-audit --no-fund --loglevel=error >&2"
    .. " && cp bench/node/package-lock.json bench/node/node_modules/.batchapi-lock; }"), "npm ci failed")
end


--- The median of a list of numbers.
function M.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local n = #sorted
  return n % 2 == 1 and sorted[(n + 1) // 2] or (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end


--- Runs a shell command on one core.
-- The environment variables and redirections of the shell may be used.
-- @return table with wall, user, sys, cpu (seconds) and rss (MiB)
function M.run(core, seconds, command)
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write("exec ", command, "\n")
  file:close()
  local pipe = assert(io.popen(("%s %d %d bash %s 2>&1"):format(measure, core, seconds, script)))
  local text = pipe:read("a")
  pipe:close()
  os.remove(script)
  local status, wall, user, sys, rss = text:match(
    '{"status":(%d+),"wall":([%d.]+),"user":([%d.]+),"sys":([%d.]+),"rss":(%d+)}')
  assert(status == "0", "failed: " .. command .. "\n" .. text)
  local used = { wall = tonumber(wall), user = tonumber(user), sys = tonumber(sys), rss = rss / 1024 }
  used.cpu = used.user + used.sys
  return used
end


--- Instructions that a command executes in user space, all threads together, by callgrind.
function M.instructions(command)
  local pipe = assert(io.popen("valgrind --tool=callgrind --trace-children=yes"
    .. " --callgrind-out-file=/dev/null " .. command .. " 2>&1"))
  local text = pipe:read("a")
  pipe:close()
  return tonumber((assert(text:match("Collected : (%d+)"), text)))
end


--- Runs every contender once in each round, forwards and backwards in turn, so that
-- what else the machine does falls on all of them alike.
-- @param contenders list of { name = string, ... }
-- @param rounds number of rounds
-- @param once function(contender) -> table of numbers for this round
-- @return results[name] = list of those tables, by round
function M.interleave(contenders, rounds, once)
  local results = {}
  for round = 1, rounds do
    for i = 1, #contenders do
      local contender = contenders[round % 2 == 1 and i or #contenders + 1 - i]
      results[contender.name] = results[contender.name] or {}
      results[contender.name][round] = once(contender)
    end
    io.stderr:write(("round %d of %d\n"):format(round, rounds))
  end
  return results
end


--- The median of one field over the rounds.
function M.field(results, name, field)
  local list = {}
  for round, used in ipairs(results[name]) do
    list[round] = used[field]
  end
  return M.median(list)
end


-- One contender's field divided by another's, for each of the rounds that both were in.
local function ratios(results, name, other, field)
  local list = {}
  for round = 1, math.min(#results[name], #results[other]) do
    list[round] = results[name][round][field] / results[other][round][field]
  end
  return list
end


--- Prints the median, over the rounds, of one contender's field divided by another's.
function M.ratio(label, results, name, other, field)
  M.line(label, M.median(ratios(results, name, other, field)))
end


--- The same over the quieter half of the rounds, those in which the other needed least CPU: what
-- a machine's other guests do to a round, they do more to whoever needs more memory.
function M.quiet_ratio(label, results, name, other, field)
  local list, order, quiet = ratios(results, name, other, field), {}, {}
  for round = 1, #list do
    order[round] = round
  end
  table.sort(order, function(a, b)
    return results[other][a].cpu < results[other][b].cpu
  end)
  for i = 1, (#order + 1) // 2 do
    quiet[i] = list[order[i]]
  end
  M.line(label, M.median(quiet))
end


--- One closing line.
function M.line(label, value)
  print(("ratio %s %.3f"):format(label, value))
end


return M
