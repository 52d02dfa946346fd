--- What the specs have in common. They run inside a real Neovim, with the plugin as it is shipped, in the folder of a project:
--- `nvim --headless --clean -n -c 'luafile spec.lua'`. `EDITOR_FOLDER` is editors/neovim of the checkout.
local M = {}

M.LIMIT = 60 * 1000 -- milliseconds; a busy machine is no defect

--- @param path string
function M.bytes(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

--- @param path string
--- @param content string
function M.write(path, content)
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end

--- What `:write` would put on the disk.
function M.buffer_bytes()
  local path = vim.fn.tempname()
  vim.cmd("silent noautocmd write! " .. path)
  return M.bytes(path)
end

--- Waits for a condition, and returns what it came to.
--- @generic T
--- @param what string
--- @param condition fun(): T
--- @param limit? integer milliseconds
--- @return T
function M.wait(what, condition, limit)
  local value
  local came = vim.wait(limit or M.LIMIT, function()
    value = condition()
    return value and true or false
  end, 10)
  return assert(came, what .. " did not come") and value
end

--- @param got any
--- @param wanted any
--- @param what string
function M.same(got, wanted, what)
  if not vim.deep_equal(got, wanted) then
    error(("%s: got %s, wanted %s"):format(what, vim.inspect(got), vim.inspect(wanted)), 2)
  end
end

--- @param text string
--- @param part string
function M.has(text, part)
  if not text:find(part, 1, true) then
    error(("%q is not in:\n%s"):format(part, text), 2)
  end
end

--- Presses keys and lets Neovim handle them.
--- @param keys string
function M.press(keys)
  vim.api.nvim_feedkeys(vim.keycode(keys), "tx", false)
end

function M.load()
  vim.opt.runtimepath:prepend(vim.env.EDITOR_FOLDER)
  vim.cmd.runtime("plugin/orchestrator.lua")
end

--- Opens a file of the project and waits for the server.
--- @param file string
--- @return vim.lsp.Client
function M.open(file)
  vim.cmd.edit(file)
  return M.wait("the server", function()
    local client = vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
    return client and client.initialized and client
  end)
end

--- Keeps what comes of an autocommand.
--- @param pattern string of `User`
--- @return table[] data of each, the newest last
function M.events(pattern)
  local come = {}
  vim.api.nvim_create_autocmd("User", {
    pattern = pattern,
    callback = function(event)
      table.insert(come, event.data)
    end,
  })
  return come
end

--- Keeps what is notified.
--- @return string[]
function M.notified()
  local said = {}
  vim.notify = function(text) ---@diagnostic disable-line: duplicate-set-field
    table.insert(said, text)
  end
  return said
end

--- The lines of the screen, as a person sees them.
--- @return string[]
function M.screen()
  vim.cmd.redraw()
  local lines = {}
  for row = 1, vim.o.lines do
    local cells = {}
    for column = 1, vim.o.columns do
      cells[column] = vim.fn.screenstring(row, column)
    end
    lines[row] = (table.concat(cells):gsub("%s+$", ""))
  end
  return lines
end

-- Nobody is there to choose, but what a spec has said before.
local choice
vim.ui.select = function(items, options, chosen) ---@diagnostic disable-line: duplicate-set-field
  for at, item in ipairs(items) do
    if options.format_item(item) == choice then
      choice = nil
      return chosen(item, at)
    end
  end
  error(("a choice of %d was asked for: %s"):format(#items, options.prompt))
end

--- Chooses this the next time that there is a choice.
--- @param title string
function M.chooses(title)
  choice = title
end

--- Runs a spec, says how it went, and ends Neovim and the server.
--- @param spec fun()
function M.run(spec)
  local passed, why = xpcall(function()
    spec()
    for _, client in ipairs(vim.lsp.get_clients()) do
      client:stop()
    end
    M.wait("the server's end", function()
      return #vim.lsp.get_clients() == 0
    end)
  end, debug.traceback)
  local said = passed and "passed" or why .. "\n" .. vim.fn.execute("messages")
  io.stdout:write(said .. "\n")
  vim.cmd(passed and "qall!" or "cquit!")
end

return M
