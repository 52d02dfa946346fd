--- The screen as an SVG, with the colours that Neovim gives it.
local M = {}

local WIDTH, HEIGHT, SIZE = 8.4, 18, 14

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

--- The groups of a floating window's own text, by byte; what is behind it is drawn dim.
local function groups(window)
  local buffer = vim.api.nvim_win_get_buf(window)
  local marks = vim.api.nvim_buf_get_extmarks(buffer, -1, 0, -1, { details = true, type = "highlight" })
  local first = vim.fn.line("w0", window)
  local position = vim.api.nvim_win_get_position(window)
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, true)
  local at = {} --- @type table<integer, table<integer, string>> by the screen's row and column, from 1
  for _, mark in ipairs(marks) do
    local row, line = position[1] + 2 + mark[2] - (first - 1), lines[mark[2] + 1]
    at[row] = at[row] or {}
    local from = vim.fn.strdisplaywidth(line:sub(1, mark[3]))
    local to = vim.fn.strdisplaywidth(line:sub(1, mark[4].end_col))
    for column = from + 1, to do
      at[row][position[2] + 1 + column] = mark[4].hl_group
    end
  end
  return at
end

local function colour(group)
  local foreground = vim.api.nvim_get_hl(0, { name = group, link = false }).fg
  return foreground and ("#%06x"):format(foreground) or "#e0e2ea"
end

--- @return string
function M.take()
  vim.cmd.redraw()
  local window = vim.api.nvim_get_current_win()
  local config = vim.api.nvim_win_get_config(window)
  local top, left = unpack(vim.api.nvim_win_get_position(window))
  local marked = groups(window)
  local width, height = vim.o.columns * WIDTH, vim.o.lines * HEIGHT
  local svg = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">'):format(
      width,
      height,
      width,
      height
    ),
    "<title>The floating view of a mission in Neovim</title>",
    '<rect width="100%" height="100%" rx="6" fill="#14161b"/>',
    ('<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="%d" xml:space="preserve">'):format(SIZE),
  }
  for row = 1, vim.o.lines do
    local column = 1
    while column <= vim.o.columns do
      local inside = row > top
        and row <= top + config.height + 2
        and column > left
        and column <= left + config.width + 2
      local fill = not inside and "#4f5258" or colour((marked[row] or {})[column] or "Normal")
      -- What has one colour is one text.
      local text, from = "", column
      repeat
        text = text .. vim.fn.screenstring(row, column)
        column = column + 1
        local now = row > top and row <= top + config.height + 2 and column > left and column <= left + config.width + 2
        local next_fill = not now and "#4f5258" or colour((marked[row] or {})[column] or "Normal")
      until column > vim.o.columns or next_fill ~= fill
      if vim.trim(text) ~= "" then
        local trimmed = text:gsub("%s+$", "")
        table.insert(
          svg,
          ('<text x="%.1f" y="%d" fill="%s" textLength="%.1f">%s</text>'):format(
            (from - 1) * WIDTH,
            row * HEIGHT - 4,
            fill,
            vim.fn.strdisplaywidth(trimmed) * WIDTH,
            escape(trimmed)
          )
        )
      end
    end
  end
  table.insert(svg, "</g>")
  table.insert(svg, "</svg>")
  return table.concat(svg, "\n") .. "\n"
end

return M
