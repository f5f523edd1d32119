--- What a job is given of the world, and all it takes of it: a clock, randomness, a disk. The fourth
--- is the service, which is the client's: below its operations a client starts requests at
--- `client._context.core` and waits for them in `client._context.host`.
---
--- Job code calls none of core.now, core.wall, core.boot, core.random, core.fs, loop.sleep, io and os itself, and
--- does not ask which world it got: a job runs on a simulated one as it runs here (spec/simulate).

local core = require("batchapi.core")
local files_of = require("batchapi.host.files")
local loop = require("batchapi.host")

---@class batchapi.job.Clock
---@field now fun(): number seconds, monotonic, from some moment on
---@field wall fun(): number seconds since 1970
---@field boot fun(): string|nil, number|nil which boot this is and the seconds since, for all its processes alike; nothing if it is not known
---@field sleep fun(seconds: number, host?: string|table): boolean, string|nil as loop.sleep
---@field leaving nil|fun(pid: integer, waited: number): boolean will that process let go soon? as loop.leaving

---@class batchapi.job.World
---@field clock batchapi.job.Clock
---@field random fun(bytes: integer): string hexadecimal digits
---@field files batchapi.Files
---@field warn fun(text: string)|nil tells whoever runs the program

local M = {}

local function warn(text)
  io.stderr:write(text)
end


local clock = { now = core.now, wall = core.wall, boot = core.boot, sleep = loop.sleep, leaving = loop.leaving }


--- The real world, whose files wait as the client's host does.
---@param client batchapi.Client
---@return batchapi.job.World
function M.real(client)
  return { clock = clock, random = core.random, files = files_of.new(client._context.host), warn = warn }
end


return M
