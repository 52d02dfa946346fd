--- The one who types, inside the editor under test: see interleavings.lua, which has it loaded there.
---
--- What it types are characters that nobody else has, so that each can be found again. What to type is decided from the text
--- as it is at that moment; Neovim handles the keys before anything that the server sends, so what was decided holds. A mode
--- that was entered stays open between two acts, and edits meet it.
local M = {}

local api = vim.api

--- What the server's edits brought, in order.
--- @type { tokens: string[], buffers: table<integer, { before: string, after: string }>, applied: boolean }[]
M.landed = {}
--- The characters that must be in each buffer.
--- @type table<integer, table<string, boolean>>
M.ledger = {}
--- The text at each number of a buffer's undo tree.
--- @type table<integer, table<integer, string>>
M.states = {}
--- What went wrong.
--- @type string[]
M.faults = {}
--- How often each thing was done.
M.done = {}

local buffers = {} --- @type integer[]
local random = 1
local keys = 0
local last --- @type string? the character that was typed last, when nothing has moved since
local log = {} --- what was done and what landed, for whoever reads a fault
local undone = false -- whether an undo or a redo is on its way
local busy = false -- whether keys wait to be handled; what the server sends may be handled before them
local expected --- @type string? the mode that keys lead to, where nothing can be put behind them

--- A number from 1 to `most`.
local function roll(most)
  random = random * 16807 % 2147483647
  return random % most + 1
end

--- What was done of late.
function M.story()
  return table.concat(vim.list_slice(log, #log - 30), "\n")
end

local function note(...)
  table.insert(log, string.format(...))
end

--- @param codepoint integer
local function utf8(codepoint)
  return vim.fn.nr2char(codepoint, true)
end

--- Characters in use as tokens: those of private use. Typed ones take three or four bytes, the worker's four.
local PATTERN = "[\238-\239][\128-\191][\128-\191]"
local LONG = "[\243-\244][\128-\191][\128-\191][\128-\191]"

local function fault(...)
  local function show(token)
    return ("<%X>"):format(vim.fn.char2nr(token, true))
  end
  table.insert(M.faults, (string.format(...):gsub(PATTERN, show):gsub(LONG, show)))
end

local function tokens(text)
  local found = {}
  for _, pattern in ipairs({ PATTERN, LONG }) do
    for token in text:gmatch(pattern) do
      -- U+F900 to U+FFFF are not of private use.
      if token < "\239\164\128" or #token == 4 then
        found[token] = (found[token] or 0) + 1
      end
    end
  end
  return found
end

local function has_tokens(text)
  return next(tokens(text)) ~= nil
end

--- @param buffer integer
local function text(buffer)
  return table.concat(api.nvim_buf_get_lines(buffer, 0, -1, true), "\n")
end

local function number(buffer)
  return vim.fn.undotree(buffer).seq_cur
end

--- Notes each text under its number; after an undo it must be the one that was there.
local function record()
  for _, buffer in ipairs(buffers) do
    local now, at = text(buffer), number(buffer)
    local known = M.states[buffer][at]
    if undone and not busy and buffer == api.nvim_get_current_buf() then
      if known and known ~= now then
        fault("undo to %d of buffer %d:\n%s\n--- was\n%s", at, buffer, now, known)
      end
      M.ledger[buffer] = {}
      for token in pairs(tokens(now)) do
        M.ledger[buffer][token] = true
      end
    end
    M.states[buffer][at] = now
  end
  -- What the server sends may come before the key is handled.
  undone = undone and busy
end

--- Wraps what answers the server, to see what lands and on what.
local function watch(client)
  local apply = client.handlers["workspace/applyEdit"] or vim.lsp.handlers["workspace/applyEdit"]
  client.handlers["workspace/applyEdit"] = function(err, params, context)
    record()
    note(
      "edit at %d:%d: %s",
      api.nvim_win_get_cursor(0)[1],
      api.nvim_win_get_cursor(0)[2],
      vim.json.encode(params.edit)
    )
    local landing = { tokens = {}, buffers = {} }
    local before = vim.iter(buffers):map(text):totable()
    local answer = apply(err, params, context)
    landing.applied = answer.applied
    for at, buffer in ipairs(buffers) do
      local now = text(buffer)
      if now ~= before[at] then
        landing.buffers[buffer] = { before = before[at], after = now }
        local old = tokens(before[at])
        for token in pairs(tokens(now)) do
          if not old[token] then
            table.insert(landing.tokens, token)
            M.ledger[buffer][token] = true
          end
          old[token] = nil
        end
        if next(old) then
          fault("an edit took %s:\n%s\n--- was\n%s", vim.inspect(old), now, before[at])
        end
      end
    end
    if answer.applied ~= (next(landing.buffers) ~= nil) then
      fault("applied: %s, but %d buffers changed", answer.applied, vim.tbl_count(landing.buffers))
    end
    M.done[answer.applied and "landed" or "turned away"] = (M.done[answer.applied and "landed" or "turned away"] or 0)
      + 1
    if answer.applied then
      table.insert(M.landed, landing)
    end
    record()
    return answer
  end
end

--- Opens the files and waits for the server.
--- @param files string[]
--- @param seed integer
function M.open(files, seed)
  random = seed
  for _, file in ipairs(files) do
    vim.cmd.edit(file)
    table.insert(buffers, api.nvim_get_current_buf())
    M.ledger[buffers[#buffers]], M.states[buffers[#buffers]] = {}, {}
  end
  record()
  local client
  assert(vim.wait(60000, function()
    client = vim.lsp.get_clients({ name = "orchestrator" })[1]
    return client ~= nil and client.initialized and vim.tbl_count(client.attached_buffers) == #files
  end))
  watch(client)
end

local function feed(what, sequence)
  local row, column = unpack(api.nvim_win_get_cursor(0))
  note("%s %q in %s of %d at %d:%d", what, sequence, api.nvim_get_mode().mode, api.nvim_get_current_buf(), row, column)
  M.done[what] = (M.done[what] or 0) + 1
  busy = true
  local behind = expected and "" or "<Cmd>lua Typist.ready()<CR>"
  api.nvim_feedkeys(vim.keycode(sequence .. behind), "nt", false)
end

function M.ready()
  busy = false
end

--- Whether all that was typed has been handled.
function M.idle()
  if expected and api.nvim_get_mode().mode == expected then
    busy, expected = false, nil
  end
  return not busy
end

--- Some characters: one of our own each time, and whatever people type around it.
local function word()
  local around = { "", "a", "é", "😀", " ", "漢", "-", "ß\204\136" }
  keys = keys + 1
  local token = utf8((keys % 2 == 0 and keys < 4000) and 0xE000 + keys or 0xF0000 + keys)
  M.ledger[api.nvim_get_current_buf()][token] = true
  last = token
  return around[roll(#around)] .. token
end

--- The character before the cursor and the one under it.
local function around_cursor()
  local row, column = unpack(api.nvim_win_get_cursor(0))
  local line = api.nvim_buf_get_lines(0, row - 1, row, true)[1]
  local before = vim.fn.strcharpart(line:sub(1, column), vim.fn.strchars(line:sub(1, column)) - 1)
  return before, vim.fn.strcharpart(line:sub(column + 1), 0, 1), line
end

--- Whoever types goes on where they were: nothing but a worker's text may have come between.
local function check_cursor()
  if not last then
    return
  end
  local row, column = unpack(api.nvim_win_get_cursor(0))
  local lines = api.nvim_buf_get_lines(0, 0, row, true)
  lines[#lines] = lines[#lines]:sub(1, column)
  local before = table.concat(lines, "\n")
  local from, to = before:find(last, 1, true)
  if not from then
    fault("the cursor strayed: it was after %s, and is at %d:%d of\n%s", last, row, column, text(0))
  elseif to < #before and not before:sub(to + 1):find("\244", 1, true) then
    fault("the cursor was after %s, and is %d bytes later", last, #before - to)
  end
end

local INSERT = { "word", "word", "word", "word", "word", "enter", "back", "break", "move", "leave", "leave" }
local NORMAL = {
  "insert",
  "insert",
  "insert",
  "insert",
  "insert",
  "delete",
  "delete",
  "line",
  "join",
  "copy",
  "undo",
  "undo",
  "redo",
  "write",
  "other",
  "visual",
  "operator",
  "command",
}

local function insert_mode()
  check_cursor()
  local what = INSERT[roll(#INSERT)]
  if what == "word" then
    return feed(what, word())
  end
  last = nil
  if what == "back" then
    -- Only what is nobody's is taken away.
    local before = around_cursor()
    return feed(what, (before ~= "" and not has_tokens(before)) and "<BS>" or "<Left>")
  end
  if what == "leave" and roll(2) == 1 then
    -- Neovim looks a while whether more comes after it, and handles what the server sends meanwhile.
    expected = "n"
    return feed(what, "<Esc>")
  end
  local sequences = { enter = "<CR>", ["break"] = "<C-g>u", leave = "<C-\\><C-n>" }
  local moves = { "<Left>", "<Right>", "<Up>", "<Down>", "<Home>", "<End>" }
  feed(what, sequences[what] or moves[roll(#moves)])
end

--- Goes somewhere: to one of the lines that the worker is at as often as not, now and then to the last one.
--- @param anchors string[]
local function go(anchors)
  local row = roll(api.nvim_buf_line_count(0))
  if #anchors > 0 and roll(2) == 1 then
    local found = vim.fn.search("\\V" .. anchors[roll(#anchors)], "nw")
    row = found > 0 and found or row
  elseif roll(4) == 1 then
    row = api.nvim_buf_line_count(0)
  end
  local line = api.nvim_buf_get_lines(0, row - 1, row, true)[1]
  local place = vim.str_utf_pos(line)
  api.nvim_win_set_cursor(0, { row, #place > 0 and place[roll(#place)] - 1 or 0 })
  return line
end

local function normal_mode(anchors)
  last = nil
  local what = NORMAL[roll(#NORMAL)]
  local line = go(anchors)
  local _, under = around_cursor()
  local free = not has_tokens(line)
  if what == "insert" then
    local how = { "i", "a", "I", "A", "o", "O" }
    return feed(what, how[roll(#how)] .. word())
  elseif what == "delete" and under ~= "" and not has_tokens(under) then
    return feed(what, "x")
  elseif what == "line" and free and api.nvim_buf_line_count(0) > 12 then
    return feed(what, "dd")
  elseif what == "copy" and free and api.nvim_buf_line_count(0) < 60 then
    return feed(what, "yyp")
  elseif what == "undo" or what == "redo" then
    undone = true
    return feed(what, what == "undo" and "u" or "<C-r>")
  elseif what == "write" then
    return feed(what, ":silent noautocmd write<CR>")
  elseif what == "other" then
    return feed(what, ":buffer " .. buffers[roll(#buffers)] .. "<CR>")
  end
  expected = what == "operator" and "no" or nil
  local sequences = { join = "J", visual = "v", operator = "d", command = ":echo " }
  feed(what, sequences[what] or "l")
end

--- Does one thing.
--- @param anchors string[] what marks the lines that the worker is at
function M.act(anchors)
  if not M.idle() then
    return
  end
  record()
  local mode = api.nvim_get_mode().mode
  if mode == "i" then
    insert_mode()
  elseif mode == "n" then
    normal_mode(anchors)
  else
    last = nil
    feed("back to normal", "<Esc>")
  end
end

--- Whether every character is there once.
function M.check()
  record()
  for _, buffer in ipairs(buffers) do
    local there = tokens(text(buffer))
    for token in pairs(M.ledger[buffer]) do
      if there[token] ~= 1 then
        fault("%s is %d times in buffer %d:\n%s", token, there[token] or 0, buffer, text(buffer))
      end
      there[token] = nil
    end
    if next(there) then
      fault("buffer %d has what it should not: %s", buffer, vim.inspect(there))
    end
  end
  return M.faults
end

--- The newest landing, when nothing was typed since into what it changed.
local function newest()
  local landing = M.landed[#M.landed]
  for buffer, texts in pairs(landing and landing.buffers or {}) do
    if text(buffer) ~= texts.after then
      return nil
    end
  end
  return landing
end

--- One `u` in each buffer of the newest landing, and one `<C-r>` when `again`. To be called in two steps, with keys handled
--- between them: first without `undo`, to be in normal mode.
function M.leave()
  record()
  last = nil
  if api.nvim_get_mode().mode ~= "n" then
    feed("leave", "<C-\\><C-n>")
  end
end

--- @param again boolean
--- @return integer buffers that were looked at
function M.undo(again)
  record()
  local landing = newest()
  local count = 0
  for buffer, texts in pairs(landing and landing.buffers or {}) do
    api.nvim_set_current_buf(buffer)
    vim.cmd("silent normal! u")
    undone = true
    record()
    if text(buffer) ~= texts.before then
      fault("one undo of a landing:\n%s\n--- was\n%s\n--- landed\n%s", text(buffer), texts.before, texts.after)
    end
    if again then
      vim.cmd("silent normal! \18")
      undone = true
      record()
      if text(buffer) ~= texts.after then
        fault("one redo of a landing:\n%s\n--- was\n%s", text(buffer), texts.after)
      end
    end
    count = count + 1
  end
  return count
end

--- Sends what is still held back, and waits until the server has answered something that came after.
function M.flush()
  local client = assert(vim.lsp.get_clients({ name = "orchestrator" })[1])
  for _, buffer in ipairs(buffers) do
    client:request_sync("workspace/executeCommand", { command = "orchestrator.none" }, 60000, buffer)
  end
end

--- The texts as the server must know them.
function M.texts()
  return vim.iter(buffers):map(vim.lsp._buf_get_full_text):totable()
end

return M
