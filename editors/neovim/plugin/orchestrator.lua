-- The commands and the maps. The server itself starts with the first file of a project.

if vim.g.loaded_orchestrator then
  return
end
vim.g.loaded_orchestrator = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("orchestrator needs Neovim 0.11 or later", vim.log.levels.ERROR)
  return
end

vim.lsp.enable("orchestrator")

vim.api.nvim_create_autocmd("LspNotify", {
  group = vim.api.nvim_create_augroup("orchestrator", {}),
  callback = function(event)
    require("orchestrator.sync").sent(event)
  end,
})

local command = vim.api.nvim_create_user_command

command("Task", function(call)
  require("orchestrator").begin("task", call.args)
end, { nargs = "+", desc = "Start a mission" })

command("Plan", function(call)
  require("orchestrator").begin("plan", call.args)
end, { nargs = "+", desc = "Make a plan and stop there" })

command("Mission", function(call)
  local word, argument = call.args:match("^(%S+)%s*(.-)%s*$")
  local given = argument ~= "" and argument or nil
  require("orchestrator").mission(word or "status", given, call.bang)
end, {
  nargs = "*",
  bang = true,
  desc = "Show the mission, or tell it something",
  complete = function(...)
    return require("orchestrator.commands").complete(...)
  end,
})

--- @param name string
--- @param what string
--- @param action fun()
local function plug(name, what, action)
  vim.keymap.set("n", ("<Plug>(orchestrator-%s)"):format(name), action, { desc = what })
end

plug("task", "Start a mission", function()
  require("orchestrator").begin("task")
end)
plug("plan", "Make a plan and stop there", function()
  require("orchestrator").begin("plan")
end)
for word, what in pairs({
  status = "Show the mission",
  list = "List the missions",
  pause = "Pause the mission",
  resume = "Go on with the mission",
  cancel = "Cancel the mission",
  report = "Read the mission's report",
  undo = "Take the newest accepted change back",
  redo = "Take the newest undo back",
  answer = "Answer what is asked",
  diff = "Show the newest accepted change",
}) do
  plug(word, what, function()
    require("orchestrator").mission(word)
  end)
end
