-- The server, as Neovim starts it. `vim.lsp.config("orchestrator", { … })` changes any of this.
--- @type vim.lsp.Config
return {
  cmd = { vim.env.ORCHESTRATOR_SERVER or "orchestrator", "lsp" },
  -- Without `filetypes` it serves every file. The root is where version control or the project begins.
  root_markers = { { ".opencode", ".git" }, { "Cargo.toml", "package.json", "tsconfig.json" } },
  workspace_required = true,
  init_options = { mission = true },
  handlers = {
    ["workspace/applyEdit"] = function(...)
      return require("orchestrator").on_apply_edit(...)
    end,
    ["orchestrator/mission"] = function(_, mission)
      require("orchestrator").on_mission(mission)
    end,
  },
}
