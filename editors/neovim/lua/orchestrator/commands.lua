--- What `:Mission` understands.
local M = {}

local client = require("orchestrator.client")
local missions = require("orchestrator.missions")

--- @class orchestrator.Word
--- @field run fun(argument?: string, bang?: boolean)
--- @field takes? "mission"|"receipt"

--- One line on a mission.
--- @param mission orchestrator.Mission
local function line(mission)
  local done, all = unpack(mission.progress)
  local steps = all > 0 and ("%d/%d"):format(done, all) or ""
  return ("%-10s %5s  %s"):format(mission.state, steps, mission.goal)
end

--- @param command string
--- @return orchestrator.Word
local function tell(command)
  return {
    takes = "mission",
    run = function(mission)
      client.ask(command, { mission = mission })
    end,
  }
end

local function status(wanted)
  client.ask("status", {}, function(result)
    for _, mission in ipairs(result.missions) do
      missions.known[mission.id] = mission
    end
    local mission = wanted and missions.known[wanted] or missions.all()[1]
    if wanted and not missions.known[wanted] then
      client.say("there is no mission " .. wanted, vim.log.levels.ERROR)
    elseif not mission then
      client.say("no missions yet; start one with :Task {goal}")
    else
      require("orchestrator.view").open(mission)
    end
  end)
end

local function list()
  client.ask("status", {}, function(result)
    local lines = vim.tbl_map(line, result.missions)
    client.say(
      #lines > 0 and table.concat(lines, "\n") or "no missions yet; start one with :Task {goal}"
    )
  end)
end

--- @param argument? string
local function receipt(argument)
  local number = argument and tonumber(argument)
  if argument and not number then
    client.say(("`%s` is no receipt's number"):format(argument), vim.log.levels.ERROR)
    return false
  end
  return true, number
end

--- @type table<string, orchestrator.Word>
M.words = {
  status = { run = status, takes = "mission" },
  list = { run = list },
  pause = tell("pause"),
  resume = tell("resume"),
  cancel = tell("cancel"),
  report = {
    takes = "mission",
    run = function(mission)
      require("orchestrator.show").report(mission)
    end,
  },
  undo = {
    takes = "mission",
    run = function(mission, bang)
      client.ask("change.undo", { mission = mission, merge = bang or nil })
    end,
  },
  redo = {
    takes = "mission",
    run = function(mission, bang)
      client.ask("change.redo", { mission = mission, merge = bang or nil })
    end,
  },
  diff = {
    takes = "receipt",
    run = function(argument)
      local valid, number = receipt(argument)
      if valid then
        require("orchestrator.show").diff(number)
      end
    end,
  },
  answer = {
    run = function(text)
      if text then
        client.ask("answer", { text = text })
      elseif not require("orchestrator.asked").choose() then
        client.say(
          "nothing is asked that has choices: `:Mission answer` takes the answer",
          vim.log.levels.ERROR
        )
      end
    end,
  },
}

--- @param word string
--- @param argument? string
--- @param bang? boolean `:Mission!`
function M.mission(word, argument, bang)
  local known = M.words[word]
  if known then
    known.run(argument, bang)
    return
  end
  local words = vim.tbl_keys(M.words)
  table.sort(words)
  client.say(
    ("`:Mission %s` is none of %s"):format(word, table.concat(words, ", ")),
    vim.log.levels.ERROR
  )
end

--- What may stand after a word.
--- @param takes? string
--- @return string[]
local function arguments(takes)
  if takes == "mission" then
    return vim.tbl_map(function(mission)
      return mission.id
    end, missions.all())
  elseif takes == "receipt" then
    local first = missions.all()[1]
    return vim.tbl_map(function(change)
      return tostring(change.receipt)
    end, first and first.receipts or {})
  end
  return {}
end

--- Completes `:Mission`.
--- @param lead string
--- @param before string the command line
--- @return string[]
function M.complete(lead, before)
  local parts = vim.split(vim.trim(before:sub(1, #before - #lead)), "%s+")
  local choices
  if #parts == 1 then
    choices = vim.tbl_keys(M.words)
    table.sort(choices)
  elseif #parts == 2 then
    local word = M.words[parts[2]]
    choices = arguments(word and word.takes)
  end
  return vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices or {})
end

return M
