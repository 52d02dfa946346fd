--- `:checkhealth orchestrator`
local M = {}

local health = vim.health

--- What the client is started with: a setting of the user's, else the plugin's own.
--- @return string
local function program()
  local config = vim.lsp.config.orchestrator
  local cmd = config and config.cmd
  return type(cmd) == "table" and cmd[1] or "orchestrator"
end

--- @param name string
--- @param argument string
--- @param limit integer milliseconds
--- @return string? said, on standard output
--- @return string? why not
local function run(name, argument, limit)
  local started, process = pcall(vim.system, { name, argument }, { text = true })
  if not started then
    return nil, tostring(process)
  end
  local result = process:wait(limit)
  if result.code ~= 0 and vim.trim(result.stdout or "") == "" then
    return nil, vim.trim(result.stderr or "")
  end
  return vim.trim(result.stdout or "")
end

--- @param client vim.lsp.Client
local function served(client)
  local info = client.server_info or {}
  local version = info.version and " " .. info.version or ""
  local root = client.root_dir or "no folder: open a file of a project"
  health.ok(("the server%s runs, for %s"):format(version, root))
  local edits = vim.tbl_get(client.capabilities, "workspace", "workspaceEdit") or {}
  if edits.documentChanges then
    health.ok("edits name the version of the text that they are for")
  else
    health.warn("edits name no version: a change could meet a text that was typed in meanwhile", {
      "leave `capabilities.workspace.workspaceEdit.documentChanges` of this server at true",
    })
  end
  health.info("columns are counted in " .. client.offset_encoding)
  if client:supports_method("textDocument/codeLens") then
    health.info("lenses are to be had: `:help vim.lsp.codelens`")
  end
end

function M.check()
  health.start("orchestrator: Neovim")
  if vim.fn.has("nvim-0.11") == 0 then
    health.error("Neovim 0.11 or later is needed")
    return
  end
  health.ok("Neovim " .. tostring(vim.version()))

  health.start("orchestrator: the program")
  local name = program()
  if vim.fn.executable(name) == 0 then
    health.error(("`%s` cannot be run"):format(name), {
      "install it: `cargo install --path .` in the checkout",
      'or name it: `vim.lsp.config("orchestrator", { cmd = { "/path/to/orchestrator", "lsp" } })`',
    })
    return
  end
  local version, why = run(name, "--version", 5000)
  if version then
    health.ok(("%s (%s)"):format(version, vim.fn.exepath(name)))
  else
    health.error(("`%s --version` failed: %s"):format(name, why))
  end

  health.start("orchestrator: the server")
  local clients = vim.lsp.get_clients({ name = "orchestrator" })
  if #clients == 0 then
    health.info("the server starts with the first file of a project")
  end
  vim.iter(clients):each(served)

  health.start("orchestrator: what `orchestrator doctor` says")
  local report, silent = run(name, "doctor", 60000)
  if report then
    health.info(report)
  else
    health.warn("it said nothing: " .. silent)
  end
end

return M
