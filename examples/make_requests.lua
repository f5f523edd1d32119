-- luacheck: no max line length
-- Wrote requests.jsonl, the request file of the quick start: 1,200 support tickets of
-- a bicycle shop, each asked to be sorted, summarised or answered. The same
-- seed gives the same file:
--
--   lua5.4 examples/make_requests.lua > examples/requests.jsonl

local seed = tonumber(arg and arg[1]) or 20260101

-- Lehmer's generator: the same numbers on every Lua, unlike math.random.
local function pick(list)
  seed = seed * 48271 % 2147483647
  return list[seed % #list + 1]
end


local products = {
  "touring bicycle Aurora 28\"", "city e-bike Lumen 500 Wh", "child's trailer Känguru", "folding bicycle Brief 16\"",
  "cargo bicycle Mule", "helmet Cirrus (size M)", "dynamo headlight 80 lux", "pannier set Fjord 2 × 20 l",
  "gravel bicycle Écume", "hydraulic brake kit B-4", "tubeless tyre 700 × 40", "wall charger 4 A",
}
local cities = {
  "Utrecht", "Zürich", "Kraków", "São Paulo", "Malmö", "Gdańsk", "Lyon", "Βόλος", "Ljubljana", "Osaka (大阪)", "Bristol", "Québec",
}
local openings = {
  "Hello,", "Dear team,", "Hi there!", "Good morning,", "To whom it may concern:", "Grüezi,", "Bonjour,", "Hey 👋",
}
local problems = {
  "the %s I ordered three weeks ago still has not arrived in %s, and the tracking page has said \"in transit\" since Monday.",
  "my %s makes a clicking noise whenever I brake downhill; the shop in %s could not find the cause.",
  "I was charged twice for the %s. My bank in %s shows both entries with the same reference.",
  "the %s came with a scratch on the left side. I would keep it for a discount, otherwise please collect it in %s.",
  "is the %s compatible with last year's rack? The dealer in %s was not sure about the mount.",
  "after the update the %s will not charge beyond 80 %%. I have tried two sockets in %s already.",
  "I would like to change the delivery address of my %s: I have moved to %s.\n\tThe order has not been shipped yet.",
  "the %s is wonderful! We rode it from here to %s and back, 212 km in two days, without a single puncture.",
  "please send an invoice with VAT for the %s; our office in %s needs it before the end of the quarter.",
}
local endings = {
  "Thank you for your help.", "I look forward to your reply.", "Please answer before Friday.", "Best wishes", "Kind regards / mit Gruß",
  "I have attached two photos (C:\\photos\\IMG_0231.jpg and IMG_0232.jpg).", "This is the third time I write to you.",
}
local tasks = {
  { system = "Sort the customer's message into exactly one of: delivery, defect, billing, question, praise. Answer with the word only.",
    max_tokens = 4, temperature = "0" },
  { system = "Summarise the customer's message in one sentence of at most 25 words.", max_tokens = 60, temperature = "0.2" },
  { system = "Write a polite reply in the customer's language. Promise nothing about dates.", max_tokens = 220, temperature = "0.7" },
  { system = "Extract product, place and wish as JSON with the keys product, place, wish.", max_tokens = 120, temperature = "0",
    more = ',"response_format":{"type":"json_object"}' },
}
local model = "gpt-4o-mini" -- the same in every line, as the service asks


local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

local function quoted(text)
  return '"' .. text:gsub('["\\\n\t]', escapes) .. '"'
end


local function message(role, content)
  return '{"role":' .. quoted(role) .. ',"content":' .. quoted(content) .. "}"
end


for i = 1, 1200 do
  local task = pick(tasks)
  local problem = pick(problems):format(pick(products), pick(cities))
  local ticket = pick(openings) .. "\n\n" .. problem .. "\n\n" .. pick(endings)
  io.write('{"custom_id":"ticket-', ("%04d"):format(i), '","method":"POST","url":"/v1/chat/completions","body":{"model":"', model,
    '","messages":[', message("system", task.system), ",", message("user", ticket), '],"max_tokens":', task.max_tokens,
    ',"temperature":', task.temperature, task.more or "", "}}\n")
end
