--- Text without a line end at its end. Neovim's incremental changes speak as if every line had one, so that the server
--- would know a text which is longer than the editor's; it gets such a text whole.
local M = {}

--- After a `textDocument/didChange`: see |LspNotify|.
--- @param event { buf: integer, data: { client_id: integer, method: string, params: table } }
function M.sent(event)
  local data, buffer = event.data, event.buf
  if data.method ~= "textDocument/didChange" or vim.bo[buffer].eol then
    return
  end
  local client = vim.lsp.get_client_by_id(data.client_id)
  if not client or client.name ~= "orchestrator" or not data.params.contentChanges[1].range then
    return
  end
  -- Any other notification is preceded by the changes that are still held back; what follows must hold them, too.
  client:notify("$/setTrace", { value = "off" })
  local ends = { unix = "\n", dos = "\r\n", mac = "\r" }
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, true)
  client:notify("textDocument/didChange", {
    textDocument = {
      uri = vim.uri_from_bufnr(buffer),
      version = vim.lsp.util.buf_versions[buffer],
    },
    contentChanges = { { text = table.concat(lines, ends[vim.bo[buffer].fileformat]) } },
  }, buffer)
end

return M
