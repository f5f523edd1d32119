--- The arguments of the command, by argparse (Debian: lua-argparse): its subcommands, help, and the
--- completion for bash, zsh and fish. The options of `run` are those of definition/run_options.lua.

local run_options = require("batchapi.definition.run_options")

local M = {}

local found, argparse = pcall(require, "argparse")

local NOT_FLAGS = { dir = true, metadata = true, dry_run = true, on_update = true } -- said in other words


local function number(text)
  local value = tonumber(text)
  if not value then
    return nil, ("a number expected, got '%s'"):format(text)
  end
  return value
end


local function pair(text)
  local name, value = text:match("^([^=]+)=(.*)$")
  if not name then
    return nil, ("NAME=VALUE expected, got '%s'"):format(text)
  end
  return { name, value }
end


local function flag_name(option)
  return "--" .. option:gsub("_", "-")
end


local function add_option(command, option)
  local flag = flag_name(option.name)
  if option.kind == "boolean" then
    command:flag(flag, option.help)
  else
    local added = command:option(flag, option.help):argname(option.kind == "string" and "TEXT" or "N")
    if option.kind ~= "string" then
      added:convert(number)
    end
  end
end


-- Which client: where its key is and where its service.
local function add_client(command)
  command:option("-s --service", "a service (batchapi services), or a .lua file that describes one"):argname("NAME")
  command:option("--api-key-file", "file that holds the key (else the environment's, or the config file's)"):argname("FILE")
  command:option("--base-url", "where the service's paths begin"):argname("URL")
end


local function add_out(command)
  command:option("-o --output", "file for the results, in place of standard output"):argname("FILE")
  command:flag("--raw", "the lines as the service sent them")
  command:flag("--failed", "only those that failed")
end


local function add_report(command)
  command:flag("-q --quiet", "no progress")
  command:flag("--json", "for machines: JSON on standard output")
end


local function add_job_options(command, resumed)
  for _, option in ipairs(run_options) do
    if not NOT_FLAGS[option.name] and (not resumed or option.resume) then
      add_option(command, option)
    end
  end
end


local function add_requests(command)
  command:argument("file", "requests, JSON Lines; - is standard input"):argname("FILE")
  add_client(command)
  command:option("-e --endpoint", "where the requests go, as /v1/chat/completions"):argname("PATH")
  command:option("--completion-window", "as the service's reference says"):argname("TEXT")
  command:option("--set", "another option of the service's jobs"):argname("NAME=VALUE"):count("*"):convert(pair)
  command:option("-m --metadata", "kept with each batch"):argname("NAME=VALUE"):count("*"):convert(pair)
  add_job_options(command)
end


local function add_dir(command)
  command:argument("dir", "the job's directory"):argname("DIR")
end


local commands = {
  { "run", "send the requests of a file and write every result", function(command)
    add_requests(command)
    command:option("-d --dir", "directory of the job, which survives (FILE.job)"):argname("DIR")
    command:flag("--no-dir", "no directory: what is interrupted is lost")
    command:flag("--detach", "leave when everything is submitted")
    add_out(command)
    add_report(command)
  end },
  { "check", "say what would be sent and what is wrong with it; nothing is sent", function(command)
    add_requests(command)
    command:flag("--json", "for machines: JSON on standard output")
  end },
  { "resume", "go on with a job, and write its results", function(command)
    add_dir(command)
    add_client(command)
    add_job_options(command, true)
    command:flag("--salvage", "the directory is damaged: go on with what is provably right")
    command:flag("--detach", "leave when everything is submitted")
    add_out(command)
    add_report(command)
  end },
  { "status", "how far jobs are, also those that another process drives", function(command)
    command:argument("dirs", "directories of jobs, or above jobs"):argname("DIR"):args("*")
    command:flag("-w --watch", "again and again, until all have ended")
    command:option("--every", "with --watch: seconds between two looks (2)"):argname("N"):convert(number)
    command:flag("--json", "for machines: JSON on standard output")
  end },
  { "results", "write the results of a job that has ended", function(command)
    add_dir(command)
    add_out(command)
    command:flag("--requests", "with --failed: the requests, for run, in place of the results")
  end },
  { "wait", "wait for a job's end", function(command)
    add_dir(command)
    add_client(command)
    add_job_options(command, true)
    add_report(command)
  end },
  { "cancel", "cancel a job at the service", function(command)
    add_dir(command)
    add_client(command)
    command:flag("--json", "for machines: JSON on standard output")
  end },
  { "retry", "send the failed requests of a job that has ended again", function(command)
    add_dir(command)
    add_client(command)
    command:option("--only", "only those with this code, also if they may have been paid for"):argname("CODE"):count("*")
    command:option("--attempts", "how often each is sent at most (1)"):argname("N"):convert(number)
    command:flag("--detach", "leave when everything is submitted")
    add_out(command)
    add_report(command)
  end },
  { "batches", "the batches at a service", function(command)
    add_client(command)
    command:option("--limit", "the newest N (100)"):argname("N"):convert(number):default(100)
    command:flag("--json", "for machines: JSON on standard output")
  end },
  { "files", "the files at a service", function(command)
    add_client(command)
    command:option("--limit", "N at most (100)"):argname("N"):convert(number):default(100)
    command:flag("--json", "for machines: JSON on standard output")
  end },
  { "clean", "delete the files of jobs that have ended at the service", function(command)
    command:argument("dirs", "directories of jobs, or above jobs"):argname("DIR"):args("*")
    add_client(command)
    command:flag("--yes", "without asking")
  end },
  { "call", "one operation: batchapi call openai list_batches --limit 5", function(command)
    command:argument("service", "a service, or a .lua file that describes one"):argname("SERVICE")
    command:argument("operation", "see batchapi help SERVICE"):argname("OPERATION")
    command:argument("words", "parameters of the path, then --FIELD VALUE …"):argname("WORD"):args("*")
  end },
  { "services", "the services that are known", function() end },
  { "help", "explain a service, an operation, an option", function(command)
    command:argument("word", "as openai, create_batch, run"):argname("WORD"):args("?")
  end },
  { "sandbox", "run a command beside a local server that plays the services", function(command)
    command:argument("words", "the command; without one it stays until Ctrl-C"):argname("COMMAND"):args("*")
  end },
  { "completion", "the completion script for a shell", function(command)
    command:argument("shell", "bash, zsh or fish"):choices{ "bash", "zsh", "fish" }
  end },
}


--- The parser itself, for completion and the manual page.
---@return table
function M.make()
  if not found then
    error("the command needs argparse (Debian: lua-argparse, LuaRocks: argparse)", 0)
  end
  local parser = argparse("batchapi", "Send any number of requests to a batch API and get every result.")
  parser:epilog("Keys come from the environment, --api-key-file or ~/.config/batchapi/config.lua.\n"
    .. "Exit: 0 all answered, 1 some failed, 2 usage, 3 could not run, 130 interrupted.")
  parser:flag("-V --version", "print the version") -- by itself: see cli/init.lua
  parser:command_target("command")
  for _, one in ipairs(commands) do
    one[3](parser:command(one[1], one[2]))
  end
  return parser
end


--- `call` and `sandbox` take words that look like options: they are kept from the parser.
local function split(given)
  if given[1] ~= "call" and given[1] ~= "sandbox" then
    return given, {}
  end
  local taken, rest = {}, {}
  local limit = given[1] == "call" and 3 or 1
  for i, word in ipairs(given) do
    local into = i <= limit and taken or rest
    into[#into + 1] = word
  end
  return taken, rest
end


--- The command and its options; nil, what is wrong and the usage when they are not right.
---@param given string[]
---@return table|nil chosen, string|nil message, string|nil usage
function M.parse(given)
  local parser = M.make()
  local taken, rest = split(given)
  local ok, chosen = parser:pparse(taken)
  if not ok then
    return nil, chosen, "Try: batchapi " .. (given[1] and given[1]:match("^%a+$") and given[1] .. " " or "") .. "--help"
  end
  if #rest > 0 then
    chosen.words = rest
  end
  return chosen
end


return M
