-- says: loud    3 of 3 right
-- Which prompt answers better? Each prompt is tried on each question, and the right answers are counted.
--
--   sandbox/run lua5.4 examples/cookbook/evaluate_prompts.lua

local batchapi = require("batchapi")

-- %s is the question. (The sandbox gives back what the user said, so here the loud prompt wins.)
local prompts = {
  plain = "%s",
  loud = "%s Answer in one word. Paris? Seven? Blue?",
}
local questions = {
  { ask = "What is the capital of France?", right = "paris" },
  { ask = "How many days has a week?", right = "seven" },
  { ask = "Which colour has the sky?", right = "blue" },
}

local requests, tried = {}, {}
for name, prompt in pairs(prompts) do
  for _, question in ipairs(questions) do
    requests[#requests + 1] = { body = {
      model = "gpt-4o-mini", temperature = 0,
      messages = { { role = "user", content = prompt:format(question.ask) } },
    } }
    tried[#requests] = { prompt = name, question = question }
  end
end

local openai = assert(batchapi.openai())
local job = assert(openai:run(requests, { endpoint = "/v1/chat/completions", attempts = 3, interval = 0.1 }))

local right, tokens = {}, {}
for result in job:results() do
  local try = tried[result.index]
  local answer = result.ok and result.body.choices[1].message.content:lower() or ""
  right[try.prompt] = (right[try.prompt] or 0) + (answer:find(try.question.right, 1, true) and 1 or 0)
  tokens[try.prompt] = (tokens[try.prompt] or 0) + (result.ok and result.body.usage.total_tokens or 0)
end
for name in pairs(prompts) do
  print(("%-7s %d of %d right, %d tokens"):format(name, right[name], #questions, tokens[name]))
end
