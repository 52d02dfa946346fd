-- What the plugin brings before any mission: commands and their completion, maps, help, health, and what it says when
-- something is missing.

package.path = vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)) .. "/?.lua;" .. package.path
local t = require("harness")

local WORDS = { "answer", "cancel", "diff", "list", "pause", "redo", "report", "resume", "status", "undo" }

--- A view as the server sends them, as far as the plugin reads it.
local function mission(id, started_at, more)
  return vim.tbl_extend("force", {
    id = id,
    goal = "a goal with\na second line, and " .. ("very "):rep(40) .. "long",
    state = "working",
    progress = { 1, 4 },
    plan = vim.NIL,
    findings = {},
    receipts = {},
    sessions = {},
    account = { requests = 1234, input = 48000, output = 210, micro_usd = 31000 },
    started_at = started_at,
  }, more or {})
end

local function commands_and_maps()
  for _, name in ipairs({ "Task", "Plan", "Mission" }) do
    t.same(vim.fn.exists(":" .. name), 2, name)
  end
  t.same(vim.fn.getcompletion("Mission ", "cmdline"), WORDS, "the words")
  t.same(vim.fn.getcompletion("Mission re", "cmdline"), { "redo", "report", "resume" }, "words that begin so")
  t.same(vim.fn.getcompletion("Mission pause ", "cmdline"), {}, "no mission is known")

  local plugs, bound = {}, {}
  for _, map in ipairs(vim.api.nvim_get_keymap("n")) do
    if vim.startswith(map.lhs, "<Plug>(orchestrator-") then
      table.insert(plugs, map.lhs:match("orchestrator%-(%l+)"))
    elseif tostring(map.rhs or ""):find("orchestrator", 1, true) or (map.desc or ""):find("mission", 1, true) then
      table.insert(bound, map.lhs)
    end
  end
  table.sort(plugs)
  local wanted = { "answer", "cancel", "diff", "list", "pause", "plan", "redo", "report", "resume", "status", "task", "undo" }
  t.same(plugs, wanted, "the maps")
  t.same(bound, {}, "nothing is mapped to a key")
end

local function what_is_missing(said)
  vim.cmd("Mission nonsense")
  t.has(said[#said], "`:Mission nonsense` is none of answer, cancel")
  vim.cmd("Mission diff two")
  t.has(said[#said], "`two` is no receipt's number")
  vim.cmd("Mission answer")
  t.has(said[#said], "takes the answer")
  local before = #said
  vim.cmd("Task without a server")
  t.same(#said, before + 1, "one message")
  t.has(said[#said], "the server does not run: open a file of the project first")
end

local function help()
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder)
  local text = t.bytes(vim.env.EDITOR_FOLDER .. "/doc/orchestrator.txt")
  t.write(folder .. "/orchestrator.txt", text)
  -- It fails where a tag stands twice.
  vim.cmd.helptags(folder)
  local tags = {}
  for tag in t.bytes(folder .. "/tags"):gmatch("([^\n]-)\t") do
    tags[tag] = true
  end
  for _, word in ipairs(WORDS) do
    assert(tags[":Mission-" .. word], "no help on " .. word)
  end
  for group in pairs(require("orchestrator.view").links) do
    assert(tags["hl-" .. group], "no help on " .. group)
  end
  local missing = {}
  for reference in text:gmatch("|([%w:._-]+)|") do
    local known = tags[reference] or #vim.fn.getcompletion(reference, "help") > 0
    table.insert(missing, not known and reference or nil)
  end
  t.same(missing, {}, "references that lead nowhere")
  for line in vim.gsplit(text, "\n") do
    -- A line that begins an example is longer by the mark, which is not shown.
    assert(vim.fn.strdisplaywidth((line:gsub(" >lua$", ""))) <= 78, "too wide: " .. line)
  end
end

--- @return string
local function health()
  vim.cmd("silent checkhealth orchestrator")
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n")
  vim.cmd("silent bwipeout!")
  return text
end

local function health_says_what_is_wrong()
  local cmd = vim.lsp.config.orchestrator.cmd
  vim.lsp.config("orchestrator", { cmd = { "/no/such/program", "lsp" } })
  t.has(health(), "`/no/such/program` cannot be run")
  vim.lsp.config("orchestrator", { cmd = cmd })
  local text = health()
  t.has(text, "the server starts with the first file of a project")
  assert(not text:find("ERROR", 1, true), text)
end

--- Views in any order, from which the events, the status line and the completion follow.
local function views()
  local missions = require("orchestrator.missions")
  local told = {}
  for _, name in ipairs({ "Mission", "Sealed", "Blocked", "Ended" }) do
    vim.api.nvim_create_autocmd("User", {
      pattern = "Orchestrator" .. name,
      callback = function(event)
        table.insert(told, name .. " " .. event.data.id)
      end,
    })
  end
  local sealed = { state = "sealed", ["end"] = { ["end"] = "sealed", hash = "h" } }
  missions.keep(mission("old", 1, sealed))
  t.same(told, { "Mission old" }, "what ended before it was seen is no news")
  t.same(require("orchestrator").status(), "", "nothing is open")
  missions.keep(mission("a", 2))
  missions.keep(mission("b", 3, { ["end"] = vim.NIL, progress = { 0, 0 }, state = "triage" }))
  t.same(require("orchestrator").status(), "triage", "the newest that is open, without steps")
  told = {}
  local blocked = { state = "blocked", ["end"] = { ["end"] = "blocked", needs = "a key" } }
  missions.keep(mission("b", 3, blocked))
  t.same(told, { "Mission b", "Blocked b", "Ended b" }, "it was blocked")
  t.same(require("orchestrator").status(), "working 1/4", "the older one is open")
  told = {}
  missions.keep(mission("b", 3, { ["end"] = vim.NIL }))
  missions.keep(mission("b", 3, sealed))
  t.same(told, { "Mission b", "Mission b", "Sealed b", "Ended b" }, "it went on and was sealed")
  t.same(vim.fn.getcompletion("Mission pause ", "cmdline"), { "a", "b", "old" }, "the missions")
end

--- What an editor of any size shows, and that it stays within its window.
local function drawings()
  local render = require("orchestrator.render")
  local full = mission("c", 4, {
    plan = {
      goal = "g",
      milestones = {
        {
          id = "M1",
          title = "漢字漢字漢字漢字漢字漢字",
          tasks = {
            {
              id = "T1.1",
              title = "a task",
              steps = {
                { id = "S1.1.1", title = "done", mark = "done" },
                { id = "S1.1.2", title = "open", mark = "pending" },
              },
            },
          },
        },
      },
    },
    findings = {
      {
        id = 1,
        by = "gate",
        file = "src/a.rs",
        line = 3,
        severity = "error",
        message = "wrong\ntwice",
        status = "open",
        item = "T1.1",
      },
      {
        id = 2,
        by = "gate",
        file = vim.NIL,
        severity = "error",
        message = "closed",
        status = "closed",
        item = vim.NIL,
      },
    },
    receipts = { { receipt = 1, item = "T1.1", files = { "src/a.rs" }, summary = "check passed", undone = true } },
    sessions = { { id = 1, role = "worker", item = "T1.1", turns = 3, activity = "calling tools" } },
    questions = { { number = 1, role = "worker", text = "which?", choices = { "this", "that" } } },
  })
  for _, width in ipairs({ 1, 7, 20, 40, 96 }) do
    local drawing = render.draw(full, width)
    for _, line in ipairs(drawing.lines) do
      assert(vim.fn.strdisplaywidth(line) <= width, ("%d cells: %s"):format(width, line))
      assert(not line:find("\n", 1, true), line)
    end
    for _, mark in ipairs(drawing.marks) do
      assert(mark.to <= #drawing.lines[mark.row + 1], "a mark beyond its line")
    end
  end
  local text = table.concat(render.draw(full, 96).lines, "\n")
  for _, part in ipairs({
    "working  ██████░░░░░░░░░░░░░░░░░░ 1/4",
    "1234 requests · 48.2k tokens · 0.0310 US dollars",
    "worker asks: which?\n  this / that",
    "  [/] T1.1  a task\n      [x] S1.1.1  done\n      [ ] S1.1.2  open",
    "  worker at T1.1: calling tools, turn 4",
    "  1  error  src/a.rs:3 wrong twice",
    "  1  T1.1  src/a.rs  undone  check passed",
  }) do
    t.has(text, part)
  end
  assert(not text:find("closed", 1, true), "a closed finding is not shown")

  -- The window follows the editor's size, and the keys are there.
  require("orchestrator.view").open(full)
  for _, size in ipairs({ { 120, 40 }, { 30, 12 } }) do
    vim.o.columns, vim.o.lines = size[1], size[2]
    vim.api.nvim_exec_autocmds("VimResized", {})
    require("orchestrator.missions").keep(full)
    local config = vim.api.nvim_win_get_config(0)
    assert(config.width + 2 <= size[1] and config.height + 2 <= size[2], vim.inspect(config))
    t.has(table.concat(t.screen(), "\n"), "┌ Mission ")
  end
  t.press("<Esc>")
  t.same(vim.api.nvim_win_get_config(0).relative, "", "`<Esc>` closes the view")
end

t.run(function()
  t.load()
  local said = t.notified()
  commands_and_maps()
  what_is_missing(said)
  help()
  health_says_what_is_wrong()
  views()
  drawings()
  vim.fn.mkdir(".opencode")
  t.open("a.txt")
  local text = health()
  t.has(text, "edits name the version of the text that they are for")
  t.has(text, vim.uv.cwd())
  assert(not text:find("ERROR", 1, true), text)
  vim.cmd("Mission pause")
  t.wait("what the server says", function()
    return #said > 4
  end)
  t.has(said[#said], "mission")
end)
