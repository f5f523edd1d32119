--- Everything that a simulated run decides, drawn from its seed.
---
--- Two kinds of draws. `tape:draw(name)` gives a source of numbers for what must be decided somehow
--- (how long an answer takes). `tape:event(name)` asks whether something bad happens now: nil, or the
--- value that was chosen. Each is numbered by its name and by how often that was asked, so that one
--- more question of one kind changes no other. What happened is in `tape.taken`; a tape made with such a
--- list as its script lets exactly that happen and nothing else, which is how a failing schedule is
--- made short.
---
--- Only arithmetic that every Lua does alike: integers below 2^53.

local MODULUS = 2147483647

local source = {}
source.__index = source


--- Between 0 and 1.
function source:real()
  local state = (self.state * 48271) % MODULUS
  self.state = state
  return state / MODULUS
end


--- An integer from low to high.
function source:between(low, high)
  return low + math.floor(self:real() * (high - low + 1))
end


function source:pick(list)
  return list[self:between(1, #list)]
end


function source:chance(probability)
  return self:real() < probability
end


--- Between low and high, each power of ten as likely as the next.
function source:wide(low, high)
  return low * math.exp(self:real() * math.log(high / low))
end


local M = {}
M.__index = M


local numbers = {} -- of names

local function number_of(name)
  local number = numbers[name]
  if not number then
    number = 7
    for i = 1, #name do
      number = (number * 131 + name:byte(i)) % MODULUS
    end
    numbers[name] = number
  end
  return number
end


-- Not linear: else what two names draw would hang together from seed to seed.
local function stir(x, y)
  x = (x + y) % MODULUS
  x = x * (x % 65521 + 3) % MODULUS
  return (x * 48271 + 11) % MODULUS
end


local function mix(a, b, c)
  local x = stir(stir(stir(stir(a % MODULUS, 12345), b), c * 69621 % MODULUS), 6789)
  return x == 0 and 1 or x
end


---@param seed integer
---@param script table[]|nil what happens, as `taken` of another tape: { name, n, value } each
function M.new(seed, script)
  local self = setmetatable({
    seed = seed, counts = {}, drawn = {}, taken = {}, met = {}, script = nil,
    rates = {},   -- of events by name; those that have none never happen
    calm = false, -- nothing bad happens any more
  }, M)
  if script then
    self.script = {}
    for _, entry in ipairs(script) do
      self.script[entry[1]] = self.script[entry[1]] or {}
      self.script[entry[1]][entry[2]] = entry[3]
    end
  end
  return self
end


--- A source of its own for each time that it is asked under a name.
function M:draw(name)
  local n = (self.drawn[name] or 0) + 1
  self.drawn[name] = n
  return setmetatable({ state = mix(self.seed, number_of(name), n) }, source)
end


local scratch = setmetatable({ state = 1 }, source)

--- Does it happen now? Nil, or what `choose` makes of a source (true without).
---@param name string
---@param choose fun(source: table): any|nil a number, a string or true; nil: it does not after all
---@return any
function M:event(name, choose)
  local n = (self.counts[name] or 0) + 1
  self.counts[name] = n
  local rate, value = self.rates[name], nil
  if self.calm then
    return nil
  elseif self.script then
    value = self.script[name] and self.script[name][n]
  elseif rate then
    scratch.state = mix(self.seed + 77, number_of(name), n)
    if scratch:real() < rate then
      value = choose == nil or choose(scratch)
    end
  end
  if value ~= nil then
    self.taken[#self.taken + 1] = { name, n, value }
    self.met[name] = true
  end
  return value
end


return M
