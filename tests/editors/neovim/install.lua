-- The plugin is installed from a clean checkout with the commands of its README: `nvim -l install.lua`, which starts an editor for
-- each of them. What is checked out is made here: a repository with a copy of the plugin's folder. lazy.nvim is not to be had in
-- a test; its line is a folder on the runtime path, as the first of the commands.

package.path = vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)) .. "/?.lua;" .. package.path
local t = require("harness")

local function run(command, options)
  local result = vim.system(command, vim.tbl_extend("force", { text = true }, options or {})):wait(t.LIMIT)
  assert(result.code == 0, table.concat(command, " ") .. ": " .. result.stdout .. result.stderr)
end

--- The README's examples that install.
--- @return string[]
local function commands()
  local readme = t.bytes(vim.env.EDITOR_FOLDER .. "/README.md")
  local install = readme:match("\n## Install\n(.-)\n## ")
  local found = {}
  for block in install:gmatch("```lua\n(.-)```") do
    if block:find("runtimepath", 1, true) then
      table.insert(found, block)
    end
  end
  return found
end

local CHECK = [[
  assert(vim.fn.exists(":Mission") == 2, "no commands")
  vim.cmd.edit("a.txt")
  local came = vim.wait(60000, function()
    local client = vim.lsp.get_clients({ name = "orchestrator", bufnr = 0 })[1]
    return client ~= nil and client.initialized
  end, 10)
  assert(came, "no server")
  vim.cmd("helptags ALL")
  vim.cmd("help orchestrator")
  for _, client in ipairs(vim.lsp.get_clients()) do
    client:stop()
  end
  vim.wait(10000, function() return #vim.lsp.get_clients() == 0 end, 10)
]]

local function install(checkout, block, at)
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder .. "/project/.opencode", "p")
  local init = block:gsub("/path/to/checkout", (checkout:gsub("%%", "%%%%")))
  t.write(folder .. "/init.lua", "vim.fn.confirm = function() return 1 end\n" .. init)
  -- The plugin's own file is read after `init.lua`, as always.
  t.write(
    folder .. "/check.lua",
    ("local ok, why = xpcall(function() %s end, debug.traceback)\nif not ok then io.stderr:write(why) vim.cmd('cquit') end\nvim.cmd('qall!')"):format(
      CHECK
    )
  )
  local home = {}
  for _, kind in ipairs({ "DATA", "STATE", "CACHE", "CONFIG" }) do
    home["XDG_" .. kind .. "_HOME"] = folder .. "/" .. kind:lower()
  end
  local editor = vim.env.EDITOR_PROGRAM or vim.v.progpath
  run({ editor, "--headless", "-n", "-u", folder .. "/init.lua", "-c", "luafile " .. folder .. "/check.lua" }, {
    cwd = folder .. "/project",
    env = home,
  })
  io.stdout:write(("command %d installs\n"):format(at))
end

local function spec()
  local checkout = vim.fn.tempname()
  vim.fn.mkdir(checkout .. "/editors", "p")
  run({ "cp", "-R", vim.env.EDITOR_FOLDER, checkout .. "/editors/neovim" })
  os.remove(checkout .. "/editors/neovim/doc/tags")
  local git = { "git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false" }
  for _, words in ipairs({ { "init", "-q" }, { "add", "." }, { "commit", "-q", "-m", "all" } }) do
    run(vim.list_extend(vim.deepcopy(git), words), { cwd = checkout })
  end
  local blocks = commands()
  t.same(#blocks, 2, "commands that install")
  for at, block in ipairs(blocks) do
    -- Neovim 0.11 has no `vim.pack`.
    if vim.pack or not block:find("vim.pack", 1, true) then
      install(checkout, block, at)
    end
  end
end

local passed, why = xpcall(spec, debug.traceback)
io.stdout:write(passed and "passed\n" or why .. "\n")
os.exit(passed and 0 or 1)
