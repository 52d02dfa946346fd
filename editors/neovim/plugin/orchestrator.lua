-- The commands. The server itself starts with the first file of a project.

if vim.g.loaded_orchestrator then
  return
end
vim.g.loaded_orchestrator = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("orchestrator needs Neovim 0.11 or later", vim.log.levels.ERROR)
  return
end

vim.lsp.enable("orchestrator")

local function command(name, opts, run)
  vim.api.nvim_create_user_command(name, run, opts)
end

command("Task", { nargs = "+", desc = "Start a mission" }, function(call)
  require("orchestrator").begin("task", call.args)
end)

command("Plan", { nargs = "+", desc = "Make a plan and stop there" }, function(call)
  require("orchestrator").begin("plan", call.args)
end)

command("Mission", {
  nargs = "?",
  desc = "Show the missions, or tell one something",
  complete = function(lead)
    return vim.tbl_filter(function(word)
      return vim.startswith(word, lead)
    end, require("orchestrator").words)
  end,
}, function(call)
  require("orchestrator").mission(call.args ~= "" and call.args or "status")
end)
