-- In a copy of the demo project, with its replay: `:Task` reaches its seal, watched in the floating view and the status line;
-- what was accepted into an open buffer is undone by one `u` for each acceptance, byte for byte; then it can be read.
-- `EDITOR_ARTEFACTS`, where it is set, is the folder for a picture of the screen.

package.path = vim.fs.dirname(debug.getinfo(1, "S").source:sub(2)) .. "/?.lua;" .. package.path
local t = require("harness")

local GOAL = "Add --ignore-case, and sort words of equal count by name"

local function has_ended(mission)
  return mission and mission["end"] ~= nil and mission["end"] ~= vim.NIL
end

t.run(function()
  vim.o.columns, vim.o.lines = 100, 36
  t.load()
  local client = t.open("src/main.rs")

  -- The text after each edit that the server asked for, beginning with an unsaved one of the user's.
  vim.api.nvim_buf_set_lines(0, -1, -1, true, { "// ü😀 not saved yet" })
  local main, texts = vim.api.nvim_get_current_buf(), {}
  local function keep()
    vim.api.nvim_buf_call(main, function()
      table.insert(texts, t.buffer_bytes())
    end)
  end
  keep()
  local apply = client.handlers["workspace/applyEdit"]
  client.handlers["workspace/applyEdit"] = function(...)
    local answer = apply(...)
    t.same(answer.applied, true, "what nobody typed into is changed")
    keep()
    return answer
  end

  local views, sealed, ended =
    t.events("OrchestratorMission"), t.events("OrchestratorSealed"), t.events("OrchestratorEnded")
  local blocked = t.events("OrchestratorBlocked")
  local refusals, words = {}, {}
  vim.api.nvim_create_autocmd("DiagnosticChanged", {
    callback = function(event)
      vim.list_extend(
        refusals,
        vim.tbl_filter(function(found)
          return found.source == "orchestrator"
        end, event.data.diagnostics)
      )
    end,
  })
  vim.api.nvim_create_autocmd("User", {
    pattern = "OrchestratorMission",
    callback = function()
      words[require("orchestrator").status()] = true
    end,
  })

  vim.cmd("Task " .. GOAL)
  t.wait("the plan", function()
    return views[#views] and views[#views].plan ~= vim.NIL
  end)
  vim.cmd("Mission")
  t.wait("the floating view", function()
    return vim.bo.filetype == "orchestrator"
  end)
  local first = table.concat(t.screen(), "\n")
  t.has(first, GOAL)
  t.has(first, "[ ] T2.1")
  t.has(first, "p pause  r resume  c cancel  u undo  <CR> plan  q close")
  local picture
  t.wait("the end of the mission", function()
    if not picture and views[#views].state == "working" and views[#views].progress[1] >= 3 then
      picture = require("picture").take()
    end
    return has_ended(views[#views])
  end, 5 * t.LIMIT)
  t.same(views[#views].state, "sealed", vim.inspect(views[#views]["end"]))
  local last = table.concat(t.screen(), "\n")
  t.has(last, "sealed")
  t.has(last, "[x] T2.1")
  t.has(last, "Receipts")
  if vim.env.EDITOR_ARTEFACTS then
    t.write(vim.env.EDITOR_ARTEFACTS .. "/neovim.svg", picture)
  end

  t.same({ #sealed, #ended, #blocked }, { 1, 1, 0 }, "what autocommands told of the end")
  t.same(sealed[1].id, views[#views].id, "the mission of the autocommand")
  t.same(require("orchestrator").status(), "", "a mission that has ended is not in the status line")
  assert(words["planning"] and words["working 0/5"], "the status line said " .. vim.inspect(vim.tbl_keys(words)))
  assert(#refusals > 0, "the gate's refusal was never a diagnostic")
  t.press("q")
  t.same(vim.api.nvim_get_current_buf(), main, "the view closes")

  t.same(#texts, 3, "the text at first, and after each of two change-sets")
  for number = #texts, 1, -1 do
    assert(t.buffer_bytes() == texts[number], "acceptance " .. number - 1 .. " is not undone as it was")
    t.press("u")
  end
  assert(t.buffer_bytes() == t.bytes("src/main.rs"), "an open file is the editor's to save")
  t.has(t.bytes("README.md"), "--ignore-case")
end)
