-- In an empty folder, with a model that the spec plays: the report of a mission and the two sides of its changes are read.

package.path = vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)) .. "/?.lua;" .. package.path
local t = require("harness")
local Model = require("model")

t.run(function()
  t.write("notes.txt", "hello\nbye\n")
  vim.fn.mkdir(".opencode", "p")
  local model = Model.start()
  for name, value in pairs(model:variables()) do
    vim.env[name] = value
  end
  t.load()
  local said = t.notified()
  t.open("notes.txt")
  local views = t.events("OrchestratorMission")
  vim.cmd("Task Greet the reader")
  model:next("commander"):call({ "triage", { decision = "direct" } })
  local changes = {
    { op = "edit", path = "notes.txt", edits = { { old = "hello", new = "hello, reader" } } },
    { op = "write", path = "more.txt", content = "more\n" },
  }
  model:next("worker"):call({ "propose", { changes = changes } })
  local worker = model:next("worker")
  t.wait("the receipt", function()
    return #views[#views].receipts == 1
  end)

  vim.cmd("Mission report " .. views[#views].id)
  t.wait("the report", function()
    return vim.startswith(vim.api.nvim_buf_get_name(0), "orchestrator://report/") or said[1]
  end)
  t.same(said, {}, "what was said about the report")
  local report = { vim.bo.filetype, vim.bo.modifiable, vim.bo.buftype }
  t.same(report, { "markdown", false, "nofile" }, "the report's buffer")
  t.has(table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n"), "Greet the reader")
  vim.cmd.close()

  vim.cmd("Mission diff 1")
  t.wait("a tab for each file", function()
    return #vim.api.nvim_list_tabpages() == 3 or said[1]
  end)
  t.same(said, {}, "what was said about the change")
  local sides = {}
  for _, tab in ipairs(vim.list_slice(vim.api.nvim_list_tabpages(), 2)) do
    for _, window in ipairs(vim.api.nvim_tabpage_list_wins(tab)) do
      t.same(vim.wo[window].diff, true, "a window of the diff")
      local buffer = vim.api.nvim_win_get_buf(window)
      local name = vim.api.nvim_buf_get_name(buffer):gsub("^orchestrator://1/", "")
      sides[name] = vim.api.nvim_buf_get_lines(buffer, 0, 1, true)[1]
    end
  end
  t.same(sides, {
    ["before/notes.txt"] = "hello",
    ["after/notes.txt"] = "hello, reader",
    ["before/more.txt"] = "",
    ["after/more.txt"] = "more",
  }, "the two sides")
  worker:call({ "done", { summary = "greeted" } })
  vim.cmd("Mission cancel")
  t.wait("the end", function()
    return views[#views].state == "cancelled"
  end)
  model:stop()
end)
