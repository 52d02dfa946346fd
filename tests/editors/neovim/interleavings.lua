--- Typing and accepted changes, interleaved at random: one Neovim types, one whole mission of the real server makes
--- hundreds of changes to the same open files, and this script is the model that wants them. `nvim -l interleavings.lua`.
---
--- | variable | meaning |
--- |---|---|
--- | `INTERLEAVINGS` | how many change-sets meet the typing; 150 by default |
--- | `INTERLEAVINGS_SEED` | the first mission's seed; each further mission has the next one |
--- | `ORCHESTRATOR_SERVER`, `EDITOR_FOLDER` | the program, and editors/neovim of the checkout |
--- | `EDITOR_PROGRAM` | Neovim, where it is started by a script of its own |
---
--- Each change-set is one interleaving. What must hold: no keystroke is lost or doubled; what was accepted is there and what was
--- refused is not; whoever types goes on where they were; one `u` after an acceptance gives the bytes from just before it,
--- and every other undo and redo a text that was there; and the server's text is the editor's.

local here = vim.fs.dirname(vim.fs.normalize(debug.getinfo(1, "S").source:sub(2)))
package.path = here .. "/?.lua;" .. package.path
local Model = require("model")

local WANTED = tonumber(vim.env.INTERLEAVINGS) or 150
local SEED = tonumber(vim.env.INTERLEAVINGS_SEED) or 1
local IN_ONE_MISSION = 75
local LINES = 40
local FILES = { "notes.txt", "letter.md" }

local dice = 1
local function roll(most)
  dice = dice * 16807 % 2147483647
  return dice % most + 1
end

local function anchor(file, line)
  return ("⟦%d.%02d⟧"):format(file, line)
end

--- A file's text at first: each line has a mark of its own, and words in several scripts.
local function first_text(file, eol, last_eol)
  local words = { "plain", "größe", "漢字", "😀", "naïve", "x" }
  local lines = {}
  for line = 1, LINES do
    lines[line] = ("%s%s %s %s end%02d"):format(
      roll(6) == 1 and "    " or "",
      words[roll(#words)],
      anchor(file, line),
      words[roll(#words)],
      line
    )
  end
  return table.concat(lines, eol) .. (last_eol and eol or "")
end

local token = 0
--- An edit around one mark, and the character by which it is known.
local function edit(file, line)
  token = token + 1
  local mark, new = anchor(file, line), vim.fn.nr2char(0x100000 + token % 0xFFFD, true)
  local ways = {
    { mark, mark .. new },
    { mark, new .. mark },
    { mark, mark .. "\n" .. new .. " a line of its own\n" },
    { mark .. " ", mark .. " " .. new .. " and " },
    { mark, "「" .. new .. "」" .. mark },
    { ("end%02d"):format(line), new .. ("end%02d"):format(line) },
  }
  local way = ways[roll(#ways)]
  return { old = way[1], new = way[2] }, new
end

--- A change-set of a few edits in one file or in both; its tokens; the marks that it is at.
local function change_set()
  local changes, tokens, anchors = {}, {}, {}
  local files = roll(3) == 1 and { 1, 2 } or { roll(2) }
  for _, file in ipairs(files) do
    local edits, used = {}, {}
    for _ = 1, roll(3) do
      local line = roll(LINES)
      if not used[line] then
        used[line] = true
        local made, new = edit(file, line)
        table.insert(edits, made)
        table.insert(tokens, new)
        table.insert(anchors, anchor(file, line))
      end
    end
    table.insert(changes, { op = "edit", path = FILES[file], edits = edits })
  end
  return { changes = changes }, tokens, anchors
end

--- How often each thing came.
local came = { proposed = 0, accepted = 0, refused = 0, ["kept changing"] = 0, undone = 0, read = 0, met = 0 }
local done = {}

local function bump(table_, what, by)
  table_[what] = (table_[what] or 0) + (by or 1)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- @class Editor the Neovim under test
local Editor = {}
Editor.__index = Editor

function Editor.start(folder, environment, seed)
  local self = setmetatable({}, Editor)
  self.job = vim.fn.jobstart({ vim.env.EDITOR_PROGRAM or vim.v.progpath, "--embed", "--clean", "-n" }, {
    rpc = true,
    cwd = folder,
    env = environment,
    on_exit = function()
      self.gone = true
    end,
  })
  assert(self.job > 0, "Neovim does not start")
  self.pid, self.watch = vim.fn.jobpid(self.job), assert(vim.uv.new_timer())
  vim.rpcrequest(self.job, "nvim_ui_attach", 80, 24, {})
  self:lua(
    [[local plugin, here, debounce, utf16 = ...
      vim.opt.runtimepath:prepend(plugin)
      vim.opt.hidden, vim.opt.more, vim.opt.cmdheight = true, false, 8
      -- Neovim takes the indent of a line that stays empty away again, and no undo knows of it.
      vim.opt.autoindent = false
      local config = {}
      if debounce >= 0 then config.flags = { debounce_text_changes = debounce } end
      if utf16 then
        config.capabilities = { general = { positionEncodings = { "utf-16" } } }
      end
      vim.cmd.runtime("plugin/orchestrator.lua")
      vim.lsp.config("orchestrator", config)
      package.path = here .. "/?.lua;" .. package.path
      Typist = require("typist")]],
    vim.env.EDITOR_FOLDER,
    here,
    ({ -1, 0, 10, 50 })[roll(4)],
    roll(2) == 1
  )
  self:lua("Typist.open(...)", FILES, seed)
  return self
end

--- Runs Lua there. An editor that waits for a key to a question of its own would never come to it: that is a fault, and it is
--- ended, as one is that does not answer.
function Editor:lua(code, ...)
  local mode
  vim.wait(2000, function()
    mode = vim.rpcrequest(self.job, "nvim_get_mode")
    return not mode.blocking
  end, 1)
  if mode.blocking then
    vim.uv.kill(self.pid, "sigkill")
    error("the editor asks something, in mode " .. mode.mode)
  end
  self.watch:start(60000, 0, function()
    vim.uv.kill(self.pid, "sigkill")
  end)
  local answer = vim.rpcrequest(self.job, "nvim_exec_lua", code, { ... })
  self.watch:stop()
  return answer
end

--- Waits until what was typed is handled.
function Editor:settle()
  local idle = vim.wait(60000, function()
    return self:lua("return Typist.idle()")
  end, 1)
  assert(idle, "keys are not handled")
end

--- A change that meets what is being typed waits for a word: it gets the one that gives it up. How many got it.
function Editor:discard()
  return self:lua([[local count = 0
    answered = answered or {}
    for _, mission in pairs(require("orchestrator").missions()) do
      for _, question in ipairs(mission.questions or {}) do
        local key = mission.id .. question.number
        if question.meeting and not answered[key] then
          answered[key], count = true, count + 1
          local word = { mission = mission.id, question = question.number, text = "Discard" }
          require("orchestrator").ask("answer", word)
        end
      end
    end
    return count]])
end

--- What the mission told of late.
function Editor:story()
  local mission = self:lua([[local mission = require("orchestrator.missions").all()[1]
    local lines = vim.tbl_map(function(line) return line.text end, mission.story)
    return { mission.state, table.concat(vim.list_slice(lines, #lines - 8), "\n"), unpack(Typist.faults) }]])
  return table.concat(mission, "\n")
end

function Editor:stop()
  vim.rpcnotify(self.job, "nvim_command", "qall!")
  vim.wait(10000, function()
    return self.gone
  end, 5)
  if not self.gone then
    vim.fn.jobstop(self.job)
    error("the editor did not end")
  end
end

--- One mission of at most `most` change-sets.
local function mission(seed, most)
  dice = seed * 7919 % 2147483646 + 1
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder .. "/project/.opencode", "p")
  local eol, last_eol = roll(3) == 1 and "\r\n" or "\n", seed % 2 == 1
  for at, file in ipairs(FILES) do
    write(folder .. "/project/" .. file, first_text(at, eol, last_eol))
  end
  write(
    folder .. "/config.toml",
    [[
[limits]
calls = 1000000
tokens = 1000000000000
turns = 1000000
refusals = 1000000
repeats = 1000000
[memory]
recall = false
high = 6000
low = 1500
[prices.local]
input = 0
]]
  )
  local model = Model.start()
  local environment = vim.tbl_extend("force", model:variables(), {
    ORCHESTRATOR_CACHE_DIR = folder .. "/cache",
    ORCHESTRATOR_CONFIG = folder .. "/config.toml",
    ORCHESTRATOR_SERVER = vim.env.ORCHESTRATOR_SERVER,
  })
  local editor = Editor.start(folder .. "/project", environment, dice)
  local function hold(faults)
    if #faults > 0 then
      local story = vim.env.INTERLEAVINGS_STORY and editor:lua("return Typist.story()") or ""
      error(("seed %d, after %d change-sets: %s\n%s"):format(seed, came.proposed, table.concat(faults, "\n"), story))
    end
  end

  editor:lua([[vim.cmd("Task change the notes again and again")]])
  model:next("commander"):call({ "triage", { decision = "direct" } })
  local landed = 0
  local proposed = {}
  local asked = model:next("worker")
  local count, read_at = 0, 0
  while true do
    -- What became of the last change-sets.
    editor:settle()
    local results = asked:results()
    local landings = editor:lua("local from = ... return vim.list_slice(Typist.landed, from + 1)", landed)
    landed = landed + #landings
    local there = {}
    for _, landing in ipairs(landings) do
      for _, one in ipairs(landing.tokens) do
        there[one] = true
      end
    end
    for id, tokens in pairs(proposed) do
      local result = (results[id] or "no result came"):gsub("^error: ", "")
      local accepted = vim.startswith(result, "accepted")
      local kind = accepted and "accepted" or result:find("keep changing", 1, true) and "kept changing" or "refused"
      bump(came, kind)
      if kind == "refused" and not vim.startswith(result, "refused") then
        hold({ "an odd result: " .. result })
      end
      for _, one in ipairs(tokens) do
        if accepted ~= (there[one] == true) then
          hold({ ("%s was %s, but it %s"):format(one, result, there[one] and "landed" or "did not land") })
        end
      end
    end
    hold(editor:lua("return Typist.check()"))
    if next(results) and roll(2) == 1 then
      editor:lua("Typist.leave()")
      editor:settle()
      bump(came, "undone", editor:lua("return Typist.undo(...)", roll(2) == 1))
      hold(editor:lua("return Typist.check()"))
    end
    if count - read_at >= 15 then
      read_at = count
      -- The text as the server has it.
      editor:lua("Typist.flush()")
      local calls = vim.iter(FILES):enumerate():map(function(at, file)
        return { "read", { path = file, from = 1 }, "read-" .. count .. "-" .. at }
      end)
      asked:call(unpack(calls:totable()))
      asked = model:next("worker")
      local texts = editor:lua("return Typist.texts()")
      for at in ipairs(FILES) do
        local known = asked:results()["read-" .. count .. "-" .. at]
        if known ~= texts[at] then
          hold({ ("the server has\n%s\n--- the editor has\n%s"):format(known, texts[at]) })
        end
        bump(came, "read")
      end
    end
    if count >= most then
      break
    end

    local calls, anchors = {}, {}
    proposed = {}
    for at = 1, roll(3) do
      local change, tokens, at_lines = change_set()
      local id = ("call-%d-%d"):format(count, at)
      table.insert(calls, { "propose", change, id })
      proposed[id] = tokens
      vim.list_extend(anchors, at_lines)
    end
    count = count + #calls
    bump(came, "proposed", #calls)
    for _ = 1, roll(4) - 1 do
      editor:lua("Typist.act(...)", anchors)
    end
    asked:call(unpack(calls))
    asked = nil
    -- Typing goes on while the change-sets are on their way, now fast, now slow, and stops at some point.
    local acts, pace = roll(12) - 1, roll(30)
    local limit = vim.uv.now() + 60000
    while not asked do
      if acts > 0 then
        acts = acts - 1
        editor:lua("Typist.act(...)", anchors)
      end
      vim.wait(acts > 0 and roll(pace) - 1 or 20, function()
        asked = model:poll("worker")
        return asked ~= nil
      end, 1)
      bump(came, "met", editor:discard())
      if vim.uv.now() > limit then
        hold({ "the worker's next turn did not come; the mission says " .. editor:story() })
      end
    end
  end

  for what, times in pairs(editor:lua("return Typist.done")) do
    bump(done, what, times)
  end
  editor:settle()
  editor:lua([[Typist.leave() require("orchestrator").ask("cancel", {})]])
  local ended = vim.wait(20000, function()
    return editor:lua([[for _, m in pairs(require("orchestrator").missions()) do return m.state == "cancelled" end]])
  end, 20)
  if not ended then
    hold({ "the mission was not cancelled" })
  end
  editor:stop()
  model:stop()
  vim.fn.delete(folder, "rf")
end

local function spec()
  local began = vim.uv.hrtime()
  local seed = SEED
  while came.proposed < WANTED do
    mission(seed, math.min(IN_ONE_MISSION, WANTED - came.proposed))
    if WANTED > IN_ONE_MISSION then
      io.stdout:write(("seed %d: %d change-sets\n"):format(seed, came.proposed))
      io.stdout:flush()
    end
    seed = seed + 1
  end
  local seconds = (vim.uv.hrtime() - began) / 1e9
  io.stdout:write(
    ("%d interleavings in %.1f s: %s; %s\n"):format(came.proposed, seconds, vim.inspect(came), vim.inspect(done))
  )
  for what in pairs({ accepted = 0, refused = 0, undone = 0, read = 0 }) do
    assert(came[what] > 0, "nothing was " .. what)
  end
end

local passed, why = xpcall(spec, debug.traceback)
io.stdout:write(passed and "passed\n" or why .. "\n")
os.exit(passed and 0 or 1)
