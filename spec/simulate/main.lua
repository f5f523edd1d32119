--- The simulator as a program: tools/simulate says how it is called.

local mutants = require("simulate.mutants")
if arg[1] == "--mutant" then
  mutants.plant(arg[2]) -- before any module that it changes
elseif arg[1] == "--mutant-names" then
  for _, mutant in ipairs(mutants.list) do
    print(mutant[1])
  end
  os.exit(0)
end

local coverage = require("simulate.coverage")
local plan = require("simulate.plan")
local shrink = require("simulate.shrink")
local world = require("simulate.world")

local SHOWN = 10 -- failures that are made short and printed


local function print_plan(run)
  local names = {}
  for name, value in pairs(run.plan) do
    names[#names + 1] = ("%s = %s"):format(name, tostring(value))
  end
  table.sort(names)
  print("  " .. table.concat(names, ", "))
end


local function print_run(run)
  for _, violation in ipairs(run.violations) do
    print("  " .. violation)
  end
end


local function print_events(list)
  for _, entry in ipairs(list) do
    print(("  event %s, the %d. time it could happen: %s"):format(entry[1], entry[2], tostring(entry[3])))
  end
end


local function explain(run)
  print(("seed %d fails:"):format(run.seed))
  print_run(run)
  local short = shrink.shrink(world.run, run)
  if not short then
    print("  (it does not fail again with the same events)")
    return
  end
  print(("  the shortest schedule that still fails has %d of %d events:"):format(#short.script, #run.taken))
  print_events(short.script)
  print_plan(short.run)
end


local function one(seed, short)
  local run = world.run(seed, nil, nil, not short and print or nil)
  local shortest = short and #run.violations > 0 and shrink.shrink(world.run, run)
  if shortest then
    run = world.run(seed, shortest.script, shortest.fixed, print)
  end
  print_plan(run)
  print_events(run.taken)
  print_run(run)
  print(#run.violations == 0 and "1 passed, 0 failed" or "0 passed, 1 failed")
  os.exit(#run.violations == 0 and 0 or 1)
end


local function many(count, from)
  local table_of, failed, classes = coverage.new(plan.names), 0, {}
  local began = os.clock()
  local seconds = 0
  for seed = from, from + count - 1 do
    local run = world.run(seed)
    table_of:add(run)
    if #run.violations > 0 then
      failed = failed + 1
      local class = shrink.class(run.violations[1])
      classes[class] = (classes[class] or 0) + 1
      if failed <= SHOWN or classes[class] == 1 then
        seconds = seconds + os.clock() - began
        explain(run)
        began = os.clock()
      end
    end
  end
  seconds = seconds + os.clock() - began
  print(table.concat(table_of:lines(), "\n"))
  for class, times in pairs(classes) do
    print(("failed %d times: %s"):format(times, class))
  end
  print(("%d runs, %.0f a second on one core (%s)"):format(count, count / seconds, jit and jit.version or _VERSION))
  print(("%d passed, %d failed"):format(count - failed, failed))
  os.exit(failed == 0 and 0 or 1)
end


--- The seeds that fail by themselves, on one line: they prove nothing of a mutant.
local function failing(count)
  local list = {}
  for seed = 1, count do
    if #world.run(seed).violations > 0 then
      list[#list + 1] = seed
    end
  end
  print(table.concat(list, " "))
end


--- The violation by which a mutant is found, or nil.
local function found_by(run, pattern)
  for _, violation in ipairs(run.violations) do
    if violation:find(pattern) then
      return violation
    end
  end
end


--- Looks for the first seed that a planted fault breaks, in the way it must.
local function hunt(name, count, skipped)
  local skip, mutant = {}, mutants.find(name)
  for seed in (skipped or ""):gmatch("%d+") do
    skip[tonumber(seed)] = true
  end
  for seed = 1, count do
    local run = not skip[seed] and world.run(seed, nil, mutant[5])
    local violation = run and found_by(run, mutant[4])
    if violation then
      print(("%-26s seed %4d  %s"):format(name, seed, violation:match("^[^\n]*"):sub(1, 150)))
      os.exit(0)
    end
  end
  print(("%-26s not found in %d seeds"):format(name, count))
  os.exit(1)
end


for name in (os.getenv("WITHOUT") or ""):gmatch("%S+") do
  assert(plan.behaviours[name], "no behaviour is called " .. name)
  plan.without[name] = true
end

if arg[1] == "--mutant" then
  hunt(arg[2], tonumber(arg[3]) or 2000, arg[4])
elseif arg[1] == "--failing" then
  failing(tonumber(arg[2]) or 2000)
elseif arg[1] == "--seed" or arg[1] == "--short" then
  one(tonumber(arg[2]), arg[1] == "--short")
else
  many(tonumber(arg[1]) or 2000, tonumber(arg[2]) or 1)
end
