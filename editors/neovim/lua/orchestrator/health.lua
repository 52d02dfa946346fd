--- `:checkhealth orchestrator`
local M = {}

local health = vim.health

local function program()
  local cmd = vim.lsp.config.orchestrator and vim.lsp.config.orchestrator.cmd
  return type(cmd) == "table" and cmd[1] or "orchestrator"
end

function M.check()
  health.start("orchestrator")
  if vim.fn.has("nvim-0.11") == 0 then
    health.error("Neovim 0.11 or later is needed")
    return
  end
  local name = program()
  if vim.fn.executable(name) == 0 then
    health.error(("`%s` cannot be run"):format(name), {
      "install it: `cargo install --path .` in the checkout",
      'or name it: `vim.lsp.config("orchestrator", { cmd = { "/path/to/orchestrator", "lsp" } })`',
    })
    return
  end
  local version = vim.system({ name, "--version" }, { text = true }):wait(5000)
  health.ok(("%s (%s)"):format(vim.trim(version.stdout or ""), vim.fn.exepath(name)))
  local clients = vim.lsp.get_clients({ name = "orchestrator" })
  if #clients == 0 then
    health.info("the server starts with the first file of a project")
  end
  for _, client in ipairs(clients) do
    health.ok("it serves " .. (client.root_dir or "no folder: open a file of a project"))
  end
  local report = vim.system({ name, "doctor" }, { text = true }):wait(30000)
  health.info("`orchestrator doctor`:\n" .. vim.trim(report.stdout or ""))
end

return M
