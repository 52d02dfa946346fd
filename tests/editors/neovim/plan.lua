-- In an empty folder, with a model that the spec plays: a plan waits; an item of it is run by its code action, watched in the
-- floating view; the change is undone with one `u`; a finding is a diagnostic with an action;
-- `:Mission cancel` ends it.

package.path = vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)) .. "/?.lua;" .. package.path
local t = require("harness")
local Model = require("model")

local PLAN = [[
# Mission: Tidy the notes

## M1: The notes

### T1.1: Greet the reader
- [ ] S1.1.1: The first line greets | size:XS | file:notes.txt

### T1.2: Say goodbye
- [ ] S1.2.1: The last line says goodbye | size:XS | file:notes.txt
]]

local NOTES = "hello\nü😀 and more\nbye\n"

local function edit(old, new)
  return { "propose", { changes = { { op = "edit", path = "notes.txt", edits = { { old = old, new = new } } } } } }
end

--- Takes the only code action here whose title begins so.
local function act(title)
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      return vim.startswith(action.title, title)
    end,
  })
end

local function screen()
  return table.concat(t.screen(), "\n")
end

t.run(function()
  vim.o.columns, vim.o.lines = 90, 30
  t.write("notes.txt", NOTES)
  vim.fn.mkdir(".opencode", "p")
  local model = Model.start()
  for name, value in pairs(model:variables()) do
    vim.env[name] = value
  end
  t.load()
  local said = t.notified()
  t.open("notes.txt")
  local notes = vim.api.nvim_get_current_buf()
  local views, ended = t.events("OrchestratorMission"), t.events("OrchestratorEnded")
  local function state(wanted)
    t.wait("the state " .. wanted, function()
      return #views > 0 and views[#views].state == wanted
    end)
  end

  -- A plan, which waits.
  vim.cmd("Plan Tidy the notes")
  model:next("commander"):call({ "triage", { decision = "plan" } })
  t.wait("planning in the status line", function()
    return require("orchestrator").status() == "planning"
  end)
  model:next("planner"):call({ "plan", { todo = PLAN } })
  state("planned")
  t.same(require("orchestrator").status(), "planned 0/2", "the status line")

  -- It asks what to do with it, and takes nothing of what is being typed.
  t.wait("the question", function()
    return vim.startswith(said[#said] or "", "The plan is ready, 2 steps")
  end)
  t.has(said[#said], "(:Mission answer)")
  t.chooses("Open the Plan")
  vim.cmd("Mission answer")
  t.wait("the plan", function()
    return vim.endswith(vim.api.nvim_buf_get_name(0), "todo.md")
  end)
  vim.api.nvim_set_current_buf(notes)

  -- The view; `<CR>` opens the plan at the item under the cursor.
  vim.cmd("Mission status")
  t.wait("the floating view", function()
    return vim.bo.filetype == "orchestrator"
  end)
  t.has(screen(), "    [ ] S1.2.1  The last line says goodbye")
  vim.fn.search("S1.1.1")
  t.press("<CR>")
  t.same(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":t"), "todo.md", "what `<CR>` opens")
  t.has(vim.api.nvim_get_current_line(), "S1.1.1")
  t.wait("the server at the plan", function()
    return vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
  end)

  -- It, by its code action.
  act("Run S1.1.1")
  local worker = model:next("worker")
  t.has(worker.brief, "T1.1")
  vim.cmd("Mission status")
  t.wait("the session in the view", function()
    return screen():find("worker at T1.1: thinking, turn 1", 1, true)
  end)
  worker:call(edit("hello", "hello, reader"))
  worker = model:next("worker")
  t.wait("the receipt in the view", function()
    return screen():find("1  T1.1  notes.txt", 1, true)
  end)
  t.press("q")
  t.same(vim.bo.filetype ~= "orchestrator", true, "`q` closes the view")
  vim.api.nvim_set_current_buf(notes)
  t.same(t.buffer_bytes(), (NOTES:gsub("hello", "hello, reader")), "the accepted change is in the buffer")
  t.same(t.bytes("notes.txt"), NOTES, "an open file is the editor's to save")
  t.press("u")
  t.same(t.buffer_bytes(), NOTES, "one undo")
  t.press("<C-r>")
  t.same(t.buffer_bytes(), (NOTES:gsub("hello", "hello, reader")), "one redo")

  -- What the worker points to is a diagnostic, with an action that makes it go.
  local note = { file = "notes.txt", line = 2, severity = "info", message = "this says nothing" }
  worker:call({ "done", { summary = "greeted", notes = { note } } })
  model:next("reviewer"):call({ "verdict", { pass = true, evidence = { "read it" } } })
  local function found()
    return vim.tbl_filter(function(diagnostic)
      return diagnostic.source == "orchestrator"
    end, vim.diagnostic.get(notes))
  end
  t.wait("the diagnostic", function()
    return #found() == 1
  end)
  local diagnostic = found()[1]
  t.same({ diagnostic.lnum, diagnostic.severity }, { 1, vim.diagnostic.severity.INFO }, "where and how bad it is")
  t.has(diagnostic.message, "this says nothing")
  t.wait("the end of the task", function()
    return views[#views].progress[1] == 1
  end)
  vim.api.nvim_win_set_cursor(0, { 2, 0 })
  act("Dismiss as intended")
  t.wait("the end of the diagnostic", function()
    return #found() == 0
  end)

  -- The mission goes on, takes its change back, and is cancelled while its worker is at it.
  vim.cmd("Mission resume")
  worker = model:next("worker")
  t.has(worker.brief, "T1.2")
  t.same(require("orchestrator").status(), "working 1/2", "the status line")
  vim.cmd("Mission pause")
  state("paused")
  t.same(require("orchestrator").status(), "paused 1/2", "the status line")
  vim.cmd("Mission undo")
  t.wait("the undo", function()
    return views[#views].receipts[1].undone
  end)
  t.same(t.buffer_bytes(), NOTES, "the change that was taken back")
  t.press("u")
  t.same(t.buffer_bytes(), (NOTES:gsub("hello", "hello, reader")), "one undo of that")
  t.same(#ended, 0, "no end was told")
  vim.cmd("Mission cancel " .. views[#views].id)
  state("cancelled")
  t.same(#ended, 1, "one end was told")
  t.same(require("orchestrator").status(), "", "the status line after the end")
  model:stop()
end)
