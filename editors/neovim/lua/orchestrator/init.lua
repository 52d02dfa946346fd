--- What is meant for an `init.lua`: starting missions, asking for things, a word for the status line.
local M = {}

--- For a status line: state and progress of the mission that has not ended, or nothing.
--- @return string
function M.status()
  local missions = require("orchestrator.missions")
  local first = missions.all()[1]
  if not first or missions.ended(first) then
    return ""
  end
  local done, all = unpack(first.progress)
  return all > 0 and ("%s %d/%d"):format(first.state, done, all) or first.state
end

--- The newest view of each mission by its id, as docs/protocol.md tells it.
--- @return table<string, orchestrator.Mission>
function M.missions()
  return require("orchestrator.missions").known
end

--- Performs a command of the server, `task` for `orchestrator.task`; `done` gets its result. A refusal is shown.
--- @param command string
--- @param argument table
--- @param done? fun(result: table)
function M.ask(command, argument, done)
  require("orchestrator.client").ask(command, argument, done)
end

--- Starts a mission, or makes a plan only. Without a goal it is asked for.
--- @param command "task"|"plan"
--- @param goal? string
function M.begin(command, goal)
  if goal then
    M.ask(command, { goal = goal })
    return
  end
  vim.ui.input({ prompt = command == "plan" and "Plan: " or "Task: " }, function(given)
    if given and vim.trim(given) ~= "" then
      M.ask(command, { goal = given })
    end
  end)
end

--- What `:Mission {word} {argument}` does.
--- @param word string
--- @param argument? string
--- @param bang? boolean
function M.mission(word, argument, bang)
  require("orchestrator.commands").mission(word, argument, bang)
end

return M
