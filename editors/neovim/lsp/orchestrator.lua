-- The server, as Neovim starts it. `vim.lsp.config("orchestrator", { … })` changes any of this.
--- @type vim.lsp.Config
return {
  cmd = { vim.env.ORCHESTRATOR_SERVER or "orchestrator", "lsp" },
  -- Without `filetypes` it serves every file. The root is where version control or the project begins.
  root_markers = {
    { ".opencode", ".git" },
    { "Cargo.toml", "package.json", "tsconfig.json", "pyproject.toml", "go.mod" },
  },
  workspace_required = true,
  init_options = { mission = true },
  -- An accepted change is for one version of the text: with this the server says which, and `orchestrator.edit` looks.
  -- Labels of edits would be a message for each accepted change.
  capabilities = {
    workspace = { workspaceEdit = { documentChanges = true, changeAnnotationSupport = vim.NIL } },
  },
  -- The sooner the server knows what was typed, the fewer changes are proved for a text that is gone.
  flags = { debounce_text_changes = 50 },
  handlers = {
    ["workspace/applyEdit"] = function(...)
      return require("orchestrator.edit").apply(...)
    end,
    ["window/showMessageRequest"] = function(...)
      return require("orchestrator.asked").ask(...)
    end,
    ["orchestrator/mission"] = function(_, mission)
      require("orchestrator.missions").keep(mission)
    end,
  },
}
