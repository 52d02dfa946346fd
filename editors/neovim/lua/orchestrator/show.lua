--- What the server has to read: the report of a mission, the two sides of an accepted change.
local M = {}

local client = require("orchestrator.client")

--- A buffer that no file is behind.
--- @param name string
--- @param text string
--- @param filetype? string
--- @return integer
local function scratch(name, text, filetype)
  local old = vim.fn.bufnr("^" .. vim.fn.escape(name, "*?[]{}\\,") .. "$")
  if old >= 0 then
    vim.api.nvim_buf_delete(old, { force = true })
  end
  local buffer = vim.api.nvim_create_buf(true, true)
  vim.api.nvim_buf_set_name(buffer, name)
  local lines = vim.split(text, "\r?\n")
  if lines[#lines] == "" then
    table.remove(lines)
  end
  vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = "wipe"
  if filetype then
    vim.bo[buffer].filetype = filetype
  end
  return buffer
end

--- @param mission? string
function M.report(mission)
  client.ask("report", { mission = mission }, function(result)
    local name = "orchestrator://report/" .. result.mission
    local buffer = scratch(name, result.markdown, "markdown")
    vim.cmd("sbuffer " .. buffer)
  end)
end

--- @param path string
--- @param receipt integer
--- @param sides { before: string?, after: string? }
local function diff(path, receipt, sides)
  local filetype = vim.filetype.match({ filename = path })
  vim.cmd.tabnew()
  vim.bo.bufhidden = "wipe"
  for _, side in ipairs({ "before", "after" }) do
    local text = sides[side] ~= vim.NIL and sides[side] or ""
    local name = ("orchestrator://%d/%s/%s"):format(receipt, side, path)
    local buffer = scratch(name, text, filetype)
    vim.cmd((side == "before" and "buffer " or "rightbelow vertical sbuffer ") .. buffer)
    vim.cmd.diffthis()
  end
end

--- A tab for each file of an accepted change, before and after; the newest change by default.
--- @param receipt? integer
function M.diff(receipt)
  client.ask("change.show", { receipt = receipt }, function(result)
    local standing = vim.tbl_filter(function(change)
      return receipt ~= nil or not change.undone
    end, result.changes)
    local change = standing[#standing]
    if not change then
      client.say("there is no change to show")
      return
    end
    for _, file in ipairs(change.files) do
      local wanted = { mission = result.mission, receipt = change.receipt, file = file }
      client.ask("change.text", wanted, function(sides)
        diff(file, change.receipt, sides)
      end)
    end
  end)
end

return M
