--- Accepted changes to open buffers: for the text that they were proved for or not at all, each one undo step.
local M = {}

--- A document that is to be changed.
--- @class orchestrator.Target
--- @field buffer integer
--- @field version? integer

--- @param edit lsp.WorkspaceEdit
--- @return orchestrator.Target[]
local function targets(edit)
  local found = {}
  for uri in pairs(edit.changes or {}) do
    table.insert(found, { buffer = vim.uri_to_bufnr(uri) })
  end
  for _, change in ipairs(edit.documentChanges or {}) do
    local document = change.textDocument
    if document then
      local version = document.version ~= vim.NIL and document.version or nil
      table.insert(found, { buffer = vim.uri_to_bufnr(document.uri), version = version })
    end
  end
  return found
end

--- Why a document cannot be changed now.
--- @param target orchestrator.Target
--- @return string?
local function obstacle(target)
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(target.buffer), ":.")
  if target.version and vim.lsp.util.buf_versions[target.buffer] ~= target.version then
    return name .. " was changed in the editor"
  elseif vim.api.nvim_buf_is_loaded(target.buffer) and not vim.bo[target.buffer].modifiable then
    return name .. " is not modifiable"
  end
end

--- Neovim ends an undo step when a key is typed; without one, two accepted changes would be undone together, and what is
--- typed in one insertion before and after a change together with it.
--- @param all orchestrator.Target[]
local function end_undo_step(all)
  for _, target in ipairs(all) do
    if vim.api.nvim_buf_is_loaded(target.buffer) then
      local options = vim.bo[target.buffer]
      -- Setting the option ends the step, even to the value that it has; see `:help undo-break`.
      options.undolevels = options.undolevels
    end
  end
end

--- The handler of `workspace/applyEdit`. Neovim's own says that it applied an edit which it dropped because the buffer had
--- moved on, and leaves the first of several files changed when the second cannot be.
--- @param params lsp.ApplyWorkspaceEditParams
--- @param context lsp.HandlerContext
--- @return lsp.ApplyWorkspaceEditResult
function M.apply(_, params, context)
  local all = targets(params.edit)
  for _, target in ipairs(all) do
    local reason = obstacle(target)
    if reason then
      return { applied = false, failureReason = reason }
    end
  end
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  end_undo_step(all)
  local applied, why = pcall(vim.lsp.util.apply_workspace_edit, params.edit, client.offset_encoding)
  end_undo_step(all)
  return { applied = applied, failureReason = not applied and tostring(why) or nil }
end

return M
