--- A mission as lines of text: what the floating view shows. It knows nothing of windows.
local M = {}

local some = require("orchestrator.missions").some

--- What is drawn.
--- @class orchestrator.Drawing
--- @field lines string[]
--- @field marks { row: integer, from: integer, to: integer, group: string }[] 0-based rows and bytes
--- @field items table<integer, string> the plan's item by its 1-based line
--- @field places table<integer, { file: string, line?: integer }> a finding's place by its 1-based line

local MARKS = { pending = "[ ]", active = "[/]", done = "[x]", failed = "[-]" }

local GROUPS = {
  pending = "OrchestratorPending",
  active = "OrchestratorActive",
  done = "OrchestratorDone",
  failed = "OrchestratorFailed",
}

--- A text on one line, no wider than that many cells.
--- @param text string
--- @param width integer
--- @return string
function M.cut(text, width)
  text = text:gsub("%s*[\r\n\t]%s*", " ")
  if vim.fn.strdisplaywidth(text) <= width then
    return text
  end
  local kept = vim.fn.strcharpart(text, 0, width)
  while kept ~= "" and vim.fn.strdisplaywidth(kept) > width - 1 do
    kept = vim.fn.strcharpart(kept, 0, vim.fn.strchars(kept) - 1)
  end
  return kept .. "…"
end

--- A bar of that many cells; without block characters where they are two cells wide.
--- @param done integer
--- @param all integer
--- @param width integer
--- @return string
function M.bar(done, all, width)
  local full = all > 0 and math.floor(width * done / all) or 0
  local on, off = "█", "░"
  if vim.fn.strdisplaywidth(on) > 1 then
    on, off = "#", "-"
  end
  return on:rep(full) .. off:rep(width - full)
end

--- @param number integer
--- @return string `48210` as `48.2k`
function M.short(number)
  if number >= 1e6 then
    return ("%.1fM"):format(number / 1e6)
  elseif number >= 1e4 then
    return ("%.1fk"):format(number / 1e3)
  end
  return tostring(number)
end

--- @param account table
--- @return string
local function cost(account)
  local tokens = M.short(account.input + account.output)
  local text = ("%d requests · %s tokens"):format(account.requests, tokens)
  if account.micro_usd > 0 then
    text = ("%s · %.4f US dollars"):format(text, account.micro_usd / 1e6)
  end
  return text
end

--- A task's mark, from its steps'.
--- @param task orchestrator.Task
--- @return string
local function task_mark(task)
  local count = { pending = 0, active = 0, done = 0, failed = 0 }
  for _, step in ipairs(task.steps) do
    count[step.mark] = count[step.mark] + 1
  end
  if count.failed > 0 then
    return "failed"
  elseif count.done == #task.steps then
    return "done"
  end
  return (count.active > 0 or count.done > 0) and "active" or "pending"
end

--- @class orchestrator.Canvas: orchestrator.Drawing
--- @field width integer
local Canvas = {}
Canvas.__index = Canvas

--- Adds a line of pieces, each a text or a text with its group.
--- @param ... string|[string, string]
--- @return integer row 1-based
function Canvas:line(...)
  local text = ""
  local row = #self.lines
  for _, piece in ipairs({ ... }) do
    local words, group = piece, nil
    if type(piece) == "table" then
      words, group = piece[1], piece[2]
    end
    local room = self.width - vim.fn.strdisplaywidth(text)
    words = room > 0 and M.cut(words, room) or ""
    if group and words ~= "" then
      local mark = { row = row, from = #text, to = #text + #words, group = group }
      table.insert(self.marks, mark)
    end
    text = text .. words
  end
  self.lines[row + 1] = text
  return row + 1
end

function Canvas:heading(text)
  self:line("")
  self:line({ text, "OrchestratorHeading" })
end

--- @param plan { milestones: orchestrator.Milestone[] }
function Canvas:plan(plan)
  for _, milestone in ipairs(plan.milestones) do
    self:heading(("%s  %s"):format(milestone.id, milestone.title))
    for _, task in ipairs(milestone.tasks) do
      local mark = task_mark(task)
      local piece = { MARKS[mark], GROUPS[mark] }
      self.items[self:line("  ", piece, (" %s  %s"):format(task.id, task.title))] = task.id
      for _, step in ipairs(task.steps) do
        local sign = { MARKS[step.mark], GROUPS[step.mark] }
        self.items[self:line("      ", sign, (" %s  %s"):format(step.id, step.title))] = step.id
      end
    end
  end
end

--- @param findings orchestrator.Finding[]
function Canvas:findings(findings)
  local groups = { error = "DiagnosticError", warning = "DiagnosticWarn", info = "DiagnosticInfo" }
  for _, finding in ipairs(findings) do
    local file, line = some(finding.file), some(finding.line)
    local place = file and (line and ("%s:%d "):format(file, line) or file .. " ") or ""
    local severity = { finding.severity, groups[finding.severity] }
    local row = self:line(("  %d  "):format(finding.id), severity, "  " .. place .. finding.message)
    self.items[row] = some(finding.item)
    if file then
      self.places[row] = { file = file, line = line }
    end
  end
end

--- @param mission orchestrator.Mission
--- @return string? what goes with its end
local function detail(mission)
  local how = some(mission["end"]) or {}
  return how.needs or how.limit or how.reason
end

--- @param mission orchestrator.Mission
--- @param width integer cells
--- @return orchestrator.Drawing
function M.draw(mission, width)
  local canvas = setmetatable({ lines = {}, marks = {}, items = {}, places = {} }, Canvas)
  canvas.width = width
  canvas:line({ mission.goal, "OrchestratorGoal" })
  local done, all = unpack(mission.progress)
  local steps = all > 0 and (" %d/%d  "):format(done, all) or ""
  local bar = M.bar(done, all, math.max(8, math.min(24, width - 28)))
  canvas:line({ mission.state, "OrchestratorState" }, "  ", { bar, "OrchestratorBar" }, steps)
  canvas:line({ cost(mission.account), "OrchestratorDim" })
  local why = detail(mission)
  if why then
    canvas:line({ why, "DiagnosticWarn" })
  end
  for _, question in ipairs(mission.questions or {}) do
    canvas:line({ ("%s asks: %s"):format(question.role, question.text), "DiagnosticWarn" })
    if #question.choices > 0 then
      canvas:line("  ", table.concat(question.choices, " / "))
    end
  end
  local plan = some(mission.plan)
  if plan then
    canvas:plan(plan)
  end
  if #mission.sessions > 0 then
    canvas:heading("Sessions")
    for _, session in ipairs(mission.sessions) do
      local item = some(session.item)
      local who = ("  %s%s: "):format(session.role, item and " at " .. item or "")
      local row = canvas:line(who, ("%s, turn %d"):format(session.activity, session.turns + 1))
      canvas.items[row] = item
    end
  end
  local open = vim.tbl_filter(function(finding)
    return finding.status == "open"
  end, mission.findings)
  if #open > 0 then
    canvas:heading("Findings")
    canvas:findings(open)
  end
  if #mission.receipts > 0 then
    canvas:heading("Receipts")
    for _, receipt in ipairs(mission.receipts) do
      local files = table.concat(receipt.files, ", ")
      local text = ("  %d  %s  %s"):format(receipt.receipt, receipt.item, files)
      local undone = receipt.undone and { "  undone", "OrchestratorDim" } or ""
      local row = canvas:line(text, undone, { "  " .. receipt.summary, "OrchestratorDim" })
      canvas.items[row] = receipt.item
    end
  end
  return canvas
end

return M
