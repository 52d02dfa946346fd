--- Asks the server for things, and keeps what it says of its missions. All else (findings, actions, lenses, progress)
--- is Neovim's own.
local M = {}

--- What `:Mission` understands.
M.words = { "status", "pause", "resume", "cancel" }

--- The newest view of each mission by its id.
--- @type table<string, table>
M.missions = {}

local function say(text, level)
  vim.notify(text, level or vim.log.levels.INFO, { title = "Orchestrator" })
end

--- The client of this buffer, else any that runs.
--- @return vim.lsp.Client?
local function client()
  return vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
    or vim.lsp.get_clients({ name = "orchestrator" })[1]
end

--- Performs a command of the server; `done` gets its result. A refusal is shown.
--- @param command string
--- @param argument table
--- @param done? fun(result: table)
function M.ask(command, argument, done)
  local server = client()
  if not server then
    say(
      "the server does not run: open a file of the project first; `:checkhealth orchestrator` says more",
      vim.log.levels.ERROR
    )
    return
  end
  local params = { command = "orchestrator." .. command, arguments = { argument } }
  server:request("workspace/executeCommand", params, function(err, result)
    if err then
      say(err.message, vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end)
end

--- @param command "task"|"plan"
--- @param goal string
function M.begin(command, goal)
  M.ask(command, { goal = goal })
end

--- One line on a mission.
local function line(mission)
  local done, all = unpack(mission.progress)
  local steps = all > 0 and ("%d/%d"):format(done, all) or ""
  return ("%-10s %5s  %s"):format(mission.state, steps, mission.goal)
end

--- @param word string one of `M.words`
function M.mission(word)
  if not vim.list_contains(M.words, word) then
    local words = table.concat(M.words, ", ")
    say(("`:Mission %s` is none of %s"):format(word, words), vim.log.levels.ERROR)
    return
  end
  if word ~= "status" then
    M.ask(word, vim.empty_dict())
    return
  end
  M.ask("status", vim.empty_dict(), function(result)
    local lines = vim.tbl_map(line, result.missions)
    say(#lines > 0 and table.concat(lines, "\n") or "no missions yet; start one with :Task {goal}")
  end)
end

--- Neovim ends an undo step when a key is typed; without one, two accepted change-sets would be undone together.
local function end_undo_step(edit)
  local uris = vim.tbl_keys(edit.changes or {})
  for _, change in ipairs(edit.documentChanges or {}) do
    table.insert(uris, change.textDocument and change.textDocument.uri)
  end
  for _, uri in ipairs(uris) do
    local buffer = vim.bo[vim.uri_to_bufnr(uri)]
    -- Setting the option ends the step, even to the value that it has; see `:help undo-break`.
    buffer.undolevels = buffer.undolevels
  end
end

--- An accepted change-set: one undo step in each open buffer.
function M.on_apply_edit(err, params, context)
  end_undo_step(params.edit)
  local answer = vim.lsp.handlers["workspace/applyEdit"](err, params, context)
  end_undo_step(params.edit)
  return answer
end

--- Keeps the view and tells whoever listens: `User OrchestratorMission`, with the view as its data.
function M.on_mission(mission)
  M.missions[mission.id] = mission
  vim.api.nvim_exec_autocmds("User", { pattern = "OrchestratorMission", data = mission })
end

--- For a status line: the newest mission that has not ended, or nothing.
--- @return string
function M.status()
  local newest
  for _, mission in pairs(M.missions) do
    local open = mission["end"] == nil or mission["end"] == vim.NIL
    if open and (not newest or mission.started_at > newest.started_at) then
      newest = mission
    end
  end
  return newest and ("%s %d/%d"):format(newest.state, unpack(newest.progress)) or ""
end

return M
