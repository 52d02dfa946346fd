--- The floating view of one mission. It is drawn anew with every view that the server sends.
local M = {}

local client = require("orchestrator.client")
local missions = require("orchestrator.missions")
local render = require("orchestrator.render")

local namespace = vim.api.nvim_create_namespace("orchestrator.view")

--- @class orchestrator.View
--- @field buffer integer
--- @field window integer
--- @field from integer the window that it was opened from
--- @field mission string
--- @field drawing orchestrator.Drawing

--- @type orchestrator.View?
local shown

--- What is linked to what, so that every colour scheme does.
M.links = {
  OrchestratorGoal = "Title",
  OrchestratorState = "Statement",
  OrchestratorBar = "Identifier",
  OrchestratorHeading = "Directory",
  OrchestratorDim = "Comment",
  OrchestratorPending = "NonText",
  OrchestratorActive = "DiagnosticInfo",
  OrchestratorDone = "DiagnosticOk",
  OrchestratorFailed = "DiagnosticError",
}

local HELP = {
  { "p", "pause" },
  { "r", "resume" },
  { "c", "cancel" },
  { "u", "undo" },
  { "<CR>", "plan" },
  { "q", "close" },
}

--- @param width integer
local function help(width)
  local pieces = vim.tbl_map(function(pair)
    return pair[1] .. " " .. pair[2]
  end, HELP)
  return " " .. render.cut(table.concat(pieces, "  "), width - 2) .. " "
end

--- Where the view is, of an editor as large as this one.
--- @param lines integer of text
--- @return vim.api.keyset.win_config
local function place(lines)
  local columns, rows = vim.o.columns, vim.o.lines - vim.o.cmdheight - 1
  -- Two for the border.
  local width = math.max(1, math.min(96, columns - 2 - (columns > 60 and 4 or 0)))
  local height = math.max(1, math.min(lines, rows - 2))
  return {
    relative = "editor",
    width = width,
    height = height,
    col = math.floor((columns - width - 2) / 2),
    row = math.max(0, math.floor((rows - height - 2) / 2)),
    style = "minimal",
    border = "single",
    title = " Mission ",
    title_pos = "left",
    footer = help(width),
    footer_pos = "left",
  }
end

--- @param mission orchestrator.Mission
local function draw(mission)
  local view = assert(shown)
  local width = place(1).width
  view.drawing = render.draw(mission, width)
  vim.bo[view.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(view.buffer, 0, -1, true, view.drawing.lines)
  vim.bo[view.buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(view.buffer, namespace, 0, -1)
  for _, mark in ipairs(view.drawing.marks) do
    local extent = { end_col = mark.to, hl_group = mark.group }
    vim.api.nvim_buf_set_extmark(view.buffer, namespace, mark.row, mark.from, extent)
  end
  return place(#view.drawing.lines)
end

local function is_open()
  return shown ~= nil and vim.api.nvim_win_is_valid(shown.window)
end

--- Draws the mission again; the cursor and the scroll stay.
local function redraw()
  local mission = is_open() and missions.known[shown.mission]
  if mission then
    vim.api.nvim_win_set_config(shown.window, draw(mission))
  end
end

function M.close()
  missions.listeners.view = nil
  if is_open() then
    vim.api.nvim_win_close(shown.window, true)
  end
  shown = nil
end

--- Opens the plan at an item.
--- @param item? string
local function open_plan(item)
  local server = client.get()
  local root = server and server.root_dir or vim.fn.getcwd()
  local path = vim.fs.joinpath(root, ".opencode", "todo.md")
  if not vim.uv.fs_stat(path) then
    client.say("there is no plan yet")
    return
  end
  local from = assert(shown).from
  M.close()
  if vim.api.nvim_win_is_valid(from) then
    vim.api.nvim_set_current_win(from)
  end
  vim.cmd.edit(vim.fn.fnameescape(path))
  if item then
    vim.fn.search([[\V\C\<]] .. item .. ":", "cw")
  end
end

--- What the cursor is at: a finding with a place is opened there, else the plan at the line's item.
local function follow()
  local view = assert(shown)
  local row = vim.api.nvim_win_get_cursor(view.window)[1]
  open_plan(view.drawing.items[row])
end

local function set_keys(view)
  local function key(keys, what, action)
    vim.keymap.set("n", keys, action, { buffer = view.buffer, nowait = true, desc = what })
  end
  local function tell(command)
    return function()
      client.ask(command, { mission = view.mission })
    end
  end
  key("q", "close", M.close)
  key("<Esc>", "close", M.close)
  key("p", "pause", tell("pause"))
  key("r", "resume", tell("resume"))
  key("c", "cancel", tell("cancel"))
  key("u", "take the newest change back", tell("change.undo"))
  key("<CR>", "open the plan", follow)
end

--- Shows a mission; the one that is open gives way.
--- @param mission orchestrator.Mission
function M.open(mission)
  M.close()
  for group, link in pairs(M.links) do
    vim.api.nvim_set_hl(0, group, { link = link, default = true })
  end
  local from, buffer = vim.api.nvim_get_current_win(), vim.api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].filetype = "orchestrator"
  local window = vim.api.nvim_open_win(buffer, true, place(1))
  vim.wo[window].wrap = false
  vim.wo[window].cursorline = true
  shown = { buffer = buffer, window = window, from = from, mission = mission.id }
  vim.api.nvim_win_set_config(window, draw(mission))
  set_keys(shown)
  missions.listeners.view = function(changed)
    if shown and changed.id == shown.mission then
      redraw()
    end
  end
  vim.api.nvim_create_autocmd("VimResized", {
    group = vim.api.nvim_create_augroup("orchestrator.view", {}),
    callback = redraw,
  })
end

return M
