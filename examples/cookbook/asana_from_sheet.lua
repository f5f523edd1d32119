-- says: 3 of 4 tasks updated
-- Updates tasks of Asana from a sheet (CSV: gid,name,due_on). Rows that Asana refuses are written to another
-- sheet with the reason, to be mended and run again.
--
--   sandbox/run lua5.4 examples/cookbook/asana_from_sheet.lua [TASKS.csv [REFUSED.csv]]

local batchapi = require("batchapi")

local here = arg[0]:gsub("[^/]*$", "")
local from, to = arg[1] or here .. "tasks.csv", arg[2] or os.tmpname()

-- The fields of a line of CSV: quotes, doubled quotes and commas within quotes.
local function fields(line)
  local list, text = {}, ""
  for piece in (line .. ","):gmatch("[^,]*,") do
    text = text .. piece
    if select(2, text:gsub('"', "")) % 2 == 0 then
      list[#list + 1] = text:sub(1, -2):gsub('^"(.*)"$', "%1"):gsub('""', '"')
      text = ""
    end
  end
  return list
end

local rows, actions = {}, {}
for line in io.lines(from) do
  local row = fields(line)
  if tonumber(row[1]) then -- not the line of titles
    rows[#rows + 1] = line
    actions[#rows] = { method = "put", relative_path = "/tasks/" .. row[1], data = { name = row[2], due_on = row[3] } }
  end
end

local asana = assert(batchapi.asana())
-- Before anything is sent: are all rows such that Asana can take them?
local report = assert(asana:run(actions, { dry_run = true }))
for _, fault in ipairs(report.faults) do
  print(("row %d: %s"):format(fault.line, fault.message))
end
assert(report.ok, "mend these rows first")

local out, updated = assert(io.open(to, "w")), 0
for result in assert(asana:run(actions, { attempts = 3 })):results() do
  if result.ok then
    updated = updated + 1
  else
    out:write(rows[result.index], ',"', (result.error.message:gsub('"', '""')), '"\n')
  end
end
assert(out:close())
print(("%d of %d tasks updated"):format(updated, #rows))
if not arg[2] then
  os.remove(to)
end
