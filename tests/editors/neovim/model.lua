--- A model on loopback whose every answer the spec decides, over real HTTP: streamed chat completions, as the program asks a
--- replay for them.

--- @class Model
--- @field url string
--- @field waiting Asked[] requests that nobody has taken yet, the oldest first
local Model = {}
Model.__index = Model

--- @class Asked a request that waits for its answer
--- @field role string
--- @field session string
--- @field brief string the session's first message
--- @field messages table[]
local Asked = {}
Asked.__index = Asked

local LIMIT = 60 * 1000 -- milliseconds; a busy machine is no defect

local function text(content)
  if type(content) == "table" then
    return table.concat(vim.tbl_map(function(part)
      return part.text or ""
    end, content))
  end
  return type(content) == "string" and content or ""
end

--- What the session's newest turn got back, by the ids of its calls.
--- @return table<string, string>
function Asked:results()
  local results = {}
  for at = #self.messages, 1, -1 do
    local message = self.messages[at]
    if message.role ~= "tool" then
      break
    end
    results[message.tool_call_id] = text(message.content)
  end
  return results
end

local function event(value)
  return "data: " .. (type(value) == "string" and value or vim.json.encode(value)) .. "\n\n"
end

--- Answers with calls, each `{ name, arguments, id? }`.
function Asked:call(...)
  local calls = {}
  for at, call in ipairs({ ... }) do
    calls[at] = {
      index = at - 1,
      id = call[3] or ("call-" .. at),
      type = "function",
      ["function"] = { name = call[1], arguments = vim.json.encode(call[2]) },
    }
  end
  local function choice(delta, reason)
    return { choices = { { index = 0, delta = delta, finish_reason = reason } } }
  end
  local body = event(choice({ role = "assistant", tool_calls = calls }, vim.NIL))
    .. event(choice(vim.empty_dict(), "tool_calls"))
    .. event({ choices = {}, usage = { prompt_tokens = 900, completion_tokens = 40 } })
    .. event("[DONE]")
  local head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
  self.stream:write(head:format(#body) .. body)
end

--- Takes whole requests off what has come.
local function take(model, stream, come)
  while true do
    local from, to = come:find("\r\n\r\n", 1, true)
    if not from then
      return come
    end
    local head = {}
    for name, value in come:sub(1, from + 1):gmatch("([%w-]+):%s*([^\r\n]*)\r\n") do
      head[name:lower()] = value
    end
    local stop = to + tonumber(head["content-length"] or 0)
    if #come < stop then
      return come
    end
    local messages = vim.json.decode(come:sub(to + 1, stop)).messages
    local brief = ""
    for _, message in ipairs(messages) do
      if message.role == "user" then
        brief = text(message.content)
        break
      end
    end
    table.insert(
      model.waiting,
      setmetatable({
        role = head["x-orchestrator-role"],
        session = head["x-orchestrator-session"],
        brief = brief,
        messages = messages,
        stream = stream,
      }, Asked)
    )
    come = come:sub(stop + 1)
  end
end

--- @return Model
function Model.start()
  local model = setmetatable({ waiting = {} }, Model)
  model.server = assert(vim.uv.new_tcp())
  assert(model.server:bind("127.0.0.1", 0))
  assert(model.server:listen(16, function()
    local stream, come = assert(vim.uv.new_tcp()), ""
    model.server:accept(stream)
    stream:read_start(function(_, bytes)
      if not bytes then
        return stream:close()
      end
      come = take(model, stream, come .. bytes)
    end)
  end))
  model.url = ("http://127.0.0.1:%d/v1"):format(model.server:getsockname().port)
  return model
end

--- The variables that point the program here.
--- @return table<string, string>
function Model:variables()
  return {
    ORCHESTRATOR_PROVIDER = "replay",
    ORCHESTRATOR_BASE_URL = self.url,
    ORCHESTRATOR_MODEL = "local",
  }
end

--- Takes a request: the oldest of that role.
--- @param role string
--- @return Asked?
function Model:poll(role)
  for at, asked in ipairs(self.waiting) do
    if asked.role == role then
      return table.remove(self.waiting, at)
    end
  end
end

--- The same, as soon as there is one.
--- @param role string
--- @return Asked
function Model:next(role)
  local asked
  local came = vim.wait(LIMIT, function()
    asked = self:poll(role)
    return asked ~= nil
  end, 1)
  assert(came, "no request of the " .. role .. " came")
  return asked
end

function Model:stop()
  self.server:close()
end

return Model
