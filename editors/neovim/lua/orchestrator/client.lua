--- Asks the server for things.
local M = {}

--- @param text string
--- @param level? integer
function M.say(text, level)
  vim.notify(text, level or vim.log.levels.INFO, { title = "Orchestrator" })
end

--- The client of this buffer, else any that runs.
--- @return vim.lsp.Client?
function M.get()
  return vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
    or vim.lsp.get_clients({ name = "orchestrator" })[1]
end

--- The command as the protocol wants it.
--- @param command string
--- @param argument table
--- @return lsp.ExecuteCommandParams
function M.params(command, argument)
  -- An empty table would be sent as a list, which is no object.
  argument = next(argument) and argument or vim.empty_dict()
  return { command = "orchestrator." .. command, arguments = { argument } }
end

--- Performs a command of the server; `done` gets its result. A refusal is shown.
--- @param command string
--- @param argument table
--- @param done? fun(result: table)
function M.ask(command, argument, done)
  local server = M.get()
  if not server then
    M.say(
      "the server does not run: open a file of the project first; `:checkhealth orchestrator` says more",
      vim.log.levels.ERROR
    )
    return
  end
  local function answered(err, result)
    if err then
      M.say(err.message, vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end
  server:request("workspace/executeCommand", M.params(command, argument), answered)
end

return M
