-- Which room of lua/batchapi may require which, and by which files. tools/check-boundaries runs this: it
-- prints what reaches over a boundary, and nothing when all is well.
--
--   lua5.4 tools/rooms.lua          in the root of the repository

-- A room's doors are the files that others may require; without a list that is its init.lua alone. What it
-- may use are rooms further down: the order of this list is the order of the house, so that no circle can
-- be. "*" means every file of the room.
local rooms = {
  { "core" }, { "version" },
  { "util", doors = "*", uses = "core version" },
  { "check", doors = "*", uses = "core util" },
  { "host", doors = "init background detect driver/custom files iterator parallel queue scheduler",
    uses = "check core util" },
  { "show", uses = "check core util" },
  { "json", doors = "init codec options", uses = "check core util" },
  { "jsonl", uses = "check core host json util" },
  { "services" },
  { "definition", doors = "init extends run_options schema/init template", uses = "check services util" },
  { "watch", doors = "*", uses = "core util" },
  { "call", doors = "init clients failure operation request response send", uses = "check core host json show util" },
  -- Within a job: what is on disk, what an answer says, what is asked, the two ways to ask, going on after a
  -- crash, what comes out.
  { "job/store", doors = "*", uses = "check core host util watch" },
  { "job/answer", doors = "*", uses = "core job/store util" },
  { "job/input", doors = "*", uses = "call core definition host job/answer job/store util" },
  { "job/batch", doors = "*", uses = "call core definition job/answer job/input job/store util watch" },
  { "job/call", doors = "*", uses = "call core definition job/answer job/batch job/input job/store util watch" },
  { "job/recover", doors = "*", uses = "check core definition host job/answer job/batch job/call job/input job/store util" },
  { "job/output", doors = "*", uses = "check core host job/answer job/store util watch" },
  { "job", uses = "call check core definition host job/answer job/batch job/call job/input job/output job/recover "
    .. "job/store util watch" },
  { "client", doors = "init credentials options wait", uses = "call check core definition host job json util watch" },
  { "oauth", uses = "check client core definition util" },
  { "webhook", uses = "check core json util" },
  { "prompt", doors = "help", uses = "show call check client core definition host job util" },
  { "everything", uses = "*" }, -- loads them all
  { "init", uses = "client core definition everything host job json oauth prompt show util version webhook" },
  { "cli", uses = "core definition host init json util version" },
}

-- The names of the rooms and files of a list.
local function set(text)
  local names = {}
  for name in (text or ""):gmatch("%S+") do
    names[name] = true
  end
  return names
end


local by_name, rank = {}, {}
for i, room in ipairs(rooms) do
  by_name[room[1]], rank[room[1]] = room, i
  room.uses, room.doors = set(room.uses), set(room.doors or "init")
end


-- The room of a module, and its file there: "host", "driver/luv". A module that is a file is its own room.
local function room_of(module)
  local path = module:gsub("%.", "/")
  local best
  for name in pairs(by_name) do
    if (path == name or path:sub(1, #name + 1) == name .. "/") and (not best or #name > #best) then
      best = name
    end
  end
  local file = best and path:sub(#best + 2)
  return best, file == "" and "init" or file
end


local function check_require(path, from, module)
  local to, file = room_of(module)
  local room, target = by_name[from], by_name[to or ""]
  if not target then
    print(("%s: '%s' is in no room (tools/rooms.lua)"):format(path, module))
  elseif to == from or room.uses["*"] then
    return
  elseif not room.uses[to] then
    print(("%s: the room '%s' may not require '%s' (tools/rooms.lua)"):format(path, from, to))
  elseif not (target.doors["*"] or target.doors[file] or target.doors[file .. "/init"]) then
    print(("%s: '%s' is no door of the room '%s' (tools/rooms.lua)"):format(path, file, to))
  end
end


for _, room in ipairs(rooms) do
  for name in pairs(room.uses) do
    if name ~= "*" and not (rank[name] and rank[name] < rank[room[1]]) then
      print(("tools/rooms.lua: '%s' uses '%s', which does not stand above it"):format(room[1], name))
    end
  end
end
local list = assert(io.popen("find lua/batchapi -name '*.lua' ! -name '*.d.lua' | sort"))
for path in list:lines() do
  local module = path:match("^lua/batchapi/(.*)%.lua$"):gsub("/init$", ""):gsub("/", ".")
  local from = room_of(module)
  if not from then
    print(path .. ": is in no room (tools/rooms.lua)")
  else
    local file = assert(io.open(path))
    for name in file:read("a"):gmatch('require%("batchapi([%w_.]*)"%)') do
      check_require(path, from, name == "" and "init" or name:sub(2))
    end
    file:close()
  end
end
list:close()
