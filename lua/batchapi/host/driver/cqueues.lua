--- cqueues: the mailbox's descriptor is polled beside everything else of the controller.
---
--- The first waiter of a controller begins a coroutine of the controller's that polls the descriptor
--- for all of them; the waiters wait for conditions of their own. That coroutine is nobody's: it cannot
--- die with a call, or be left suspended by whoever resumes it. It ends when all were woken.

local cqueues = require("cqueues")
local condition = require("cqueues.condition")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = { name = "cqueues", yields = true }

local boards = setmetatable({}, { __mode = "k" }) -- by controller


function M.check()
  if not cqueues.running() then
    errors.misuse("host 'cqueues' waits only inside a coroutine of a cqueues controller")
  end
end


function M.spawn(_, f)
  cqueues.running():wrap(f)
  return true
end


-- A waiter that was woken does not wait, whether or not its coroutine has gone on: one that is never
-- resumed holds nothing up. One that was collected has left; the end of its call tells.
local function board_of(controller)
  local board = boards[controller]
  if not board then
    board = { waiting = setmetatable({}, { __mode = "k" }), polling = false, bell = condition.new() }
    boards[controller] = board
  end
  return board
end


local function poll(board)
  while next(board.waiting) do
    cqueues.poll({ pollfd = assert(loop.mailbox()):fd(), events = "r" }, board.bell)
    loop.pump()
  end
  board.polling = false
end


local waiter = {}
waiter.__index = waiter


-- It does not wait any more. The coroutine that polls sees it when it was the last.
local function leave(self)
  local board = self.board
  self.board = nil
  board.waiting[self] = nil
  if not next(board.waiting) then
    board.bell:signal()
  end
end


local function join(self, controller)
  local board = board_of(controller)
  self.board = board
  board.waiting[self] = true
  if not board.polling then
    board.polling = true
    controller:wrap(poll, board)
  end
end


function waiter:wait(seconds)
  if not self.woken then
    join(self, cqueues.running())
    self.condition:wait(seconds)
    if self.board then -- its time is over
      leave(self)
    end
  end
  self.woken = false
end


function waiter:wake()
  self.woken = true
  if self.board then
    leave(self)
    self.condition:signal()
  end
end


function waiter:abandon()
  if self.board then
    leave(self)
  end
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, board = nil, condition = condition.new() }, waiter)
end


return M
