--- The missions as the server has shown them, and who is told of their changes.
local M = {}

--- The newest view of each mission by its id.
--- @type table<string, orchestrator.Mission>
M.known = {}

--- Told of each new view, beside the autocommands.
--- @type table<string, fun(mission: orchestrator.Mission)>
M.listeners = {}

--- @param value any
--- @return any value, nothing where the server says null
function M.some(value)
  if value ~= vim.NIL then
    return value
  end
end

--- How it ended, once it has.
--- @param mission orchestrator.Mission
--- @return string?
function M.ended(mission)
  local how = M.some(mission["end"])
  return how and how["end"]
end

--- Whether `a` is shown before `b`: what has not ended first, then what is newer.
--- @param a orchestrator.Mission
--- @param b orchestrator.Mission
local function before(a, b)
  local open_a, open_b = not M.ended(a), not M.ended(b)
  if open_a ~= open_b then
    return open_a
  elseif a.started_at ~= b.started_at then
    return a.started_at > b.started_at
  end
  return a.id > b.id
end

--- All that are known, the one to be shown first at the beginning.
--- @return orchestrator.Mission[]
function M.all()
  local all = vim.tbl_values(M.known)
  table.sort(all, before)
  return all
end

local function tell(pattern, mission)
  vim.api.nvim_exec_autocmds("User", { pattern = pattern, data = mission, modeline = false })
end

--- Keeps a view and tells whoever listens.
---
--- `User OrchestratorMission` comes with every view; `OrchestratorEnded` when one that was seen open has ended, and before it
--- `OrchestratorSealed` or `OrchestratorBlocked`.
--- @param mission orchestrator.Mission
function M.keep(mission)
  local was = M.known[mission.id]
  M.known[mission.id] = mission
  for _, listener in pairs(M.listeners) do
    listener(mission)
  end
  tell("OrchestratorMission", mission)
  local how = M.ended(mission)
  if how and was and not M.ended(was) then
    if how == "sealed" then
      tell("OrchestratorSealed", mission)
    elseif how == "blocked" then
      tell("OrchestratorBlocked", mission)
    end
    tell("OrchestratorEnded", mission)
  end
end

return M
