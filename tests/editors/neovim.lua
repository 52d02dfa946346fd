-- Run inside a real Neovim, in a copy of the demo project: `:Task` reaches its seal, and what was accepted into an open
-- buffer is undone by one `u` for each acceptance, byte for byte. `EDITOR_FOLDER` is editors/neovim of the checkout.

local GOAL = "Add --ignore-case, and sort words of equal count by name"
local LIMIT = 60 * 1000 -- milliseconds; a busy machine is no defect

local function bytes(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

--- What `:write` would put on the disk.
local function buffer_bytes()
  local path = vim.fn.tempname()
  vim.cmd("silent noautocmd write! " .. path)
  return bytes(path)
end

local function wait(what, condition)
  assert(vim.wait(LIMIT, condition, 10), what .. " did not come")
end

local function spec()
  vim.opt.runtimepath:prepend(vim.env.EDITOR_FOLDER)
  vim.cmd.runtime("plugin/orchestrator.lua")
  vim.cmd.edit("src/main.rs")
  wait("the server", function()
    local client = vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
    return client ~= nil and client.initialized
  end)

  -- The text after each edit that the server asked for, beginning with an unsaved one of the user's.
  vim.api.nvim_buf_set_lines(0, -1, -1, true, { "// ü😀 not saved yet" })
  local texts = { buffer_bytes() }
  local apply = vim.lsp.handlers["workspace/applyEdit"]
  vim.lsp.handlers["workspace/applyEdit"] = function(...)
    local answer = apply(...)
    table.insert(texts, buffer_bytes())
    return answer
  end

  local mission
  vim.api.nvim_create_autocmd("User", {
    pattern = "OrchestratorMission",
    callback = function(event)
      mission = event.data
    end,
  })
  vim.cmd("Task " .. GOAL)
  wait("the end of the mission", function()
    return mission and mission["end"] ~= nil and mission["end"] ~= vim.NIL
  end)
  assert(mission.state == "sealed", vim.inspect(mission["end"]))
  assert(require("orchestrator").status() == "", "a mission that has ended is not in the status line")

  assert(#texts == 3, ("two change-sets touch the buffer, %d came"):format(#texts - 1))
  for number = #texts, 1, -1 do
    assert(buffer_bytes() == texts[number], "acceptance " .. number - 1 .. " is not undone as it was")
    vim.cmd("silent undo")
  end
  assert(buffer_bytes() == bytes("src/main.rs"), "an open file is the editor's to save")
  assert(bytes("README.md"):find("--ignore-case", 1, true), "a closed file changes on the disk")
  for _, client in ipairs(vim.lsp.get_clients()) do
    client:stop()
  end
  wait("the server's end", function()
    return #vim.lsp.get_clients() == 0
  end)
end

local passed, why = xpcall(spec, debug.traceback)
io.stdout:write(passed and "passed\n" or why .. "\n" .. vim.fn.execute("messages") .. "\n")
vim.cmd(passed and "qall!" or "cquit!")
