--- What the server asks and somebody chooses: kept until `:Mission answer`, so that no question takes what is being typed.
local M = {}

local client = require("orchestrator.client")
local missions = require("orchestrator.missions")

--- @class orchestrator.Asked
--- @field message string
--- @field choices lsp.MessageActionItem[]
--- @field answer fun(choice?: lsp.MessageActionItem)

--- The oldest first.
--- @type orchestrator.Asked[]
local waiting = {}

--- Handles `window/showMessageRequest`. A handler runs in a coroutine of its own, and its request waits as long as it does.
--- @param params lsp.ShowMessageRequestParams
function M.ask(_, params)
  local choices = params.actions or {}
  if #choices == 0 then
    client.say(params.message)
    return vim.NIL
  end
  local handler = coroutine.running()
  table.insert(waiting, {
    message = params.message,
    choices = choices,
    answer = function(choice)
      vim.schedule(function()
        coroutine.resume(handler, choice or vim.NIL)
      end)
    end,
  })
  client.say(params.message .. " (:Mission answer)")
  return coroutine.yield()
end

--- Forgets what was asked when no mission waits any more: it was answered elsewhere.
local function settle()
  for _, mission in pairs(missions.known) do
    local asks = #(missions.some(mission.questions) or {}) > 0
    if not missions.ended(mission) and (mission.state == "planned" or asks) then
      return
    end
  end
  for _, asked in ipairs(waiting) do
    asked.answer()
  end
  waiting = {}
end

missions.listeners.asked = settle

--- Lets the oldest question be answered by a choice. False where there is none.
--- @return boolean
function M.choose()
  local asked = waiting[1]
  if not asked then
    return false
  end
  vim.ui.select(asked.choices, {
    kind = "lsp_message",
    prompt = asked.message,
    format_item = function(choice)
      return choice.title
    end,
  }, function(choice)
    -- Closed without a choice: it goes on waiting.
    if choice and waiting[1] == asked then
      table.remove(waiting, 1)
      asked.answer(choice)
    end
  end)
  return true
end

return M
