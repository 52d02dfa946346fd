--- @meta
-- What can be set: `vim.lsp.config("orchestrator", { init_options = { settings = { … } } })`. Made from the server's own
-- description; docs/configuration.md has the same as tables.

--- @class orchestrator.settings.fetch
--- @field allow? string[] Hosts that may be asked though their address is not a public one.
--- @field cache_hours? integer For how many hours a page that was read is not asked for again. (default 24)
--- @field enabled? boolean Whether any is. (default true)

--- @class orchestrator.settings.gate
--- @field languages? table[] Languages, as in `language.toml`. One without extensions adds to the known one of its name: servers, which are preferred, tools, and roots.
--- @field trusted? string[] Workspaces whose own `.opencode/gate.toml` is believed: it names programs that are run. Only in the user's file.

--- @class orchestrator.settings.journal
--- @field keep_days? integer Days after its last event for which an ended mission stays in the journal. (default 30)
--- @field keep_missions? integer The most ended missions that stay there; the others are archived. (default 100)

--- @class orchestrator.settings.limits
--- @field answer_ms? integer How long it waits for an answer while nothing else can be done, in milliseconds; then it is blocked. (default 1800000)
--- @field attempts? integer Attempts at one task, and at the plan. (default 3)
--- @field calls? integer Model turns, over all sessions. (default 400)
--- @field faults? integer Transient faults in a row. (default 6)
--- @field micro_usd? integer Money, in millionths of a US dollar. (default 10000000)
--- @field parallel? integer Tasks that are worked on at once. (default 4)
--- @field questions? integer Questions that a mission may ask the person. (default 8)
--- @field refusals? integer Refusals within one session: of change-sets by the gate, of plans that are not valid. (default 6)
--- @field repeats? integer How often the same call may bring the same result, within a session and over the sessions of one task. (default 3)
--- @field replans? integer How often what is left is planned anew when the mission stands still. (default 1)
--- @field rounds? integer Review rounds of the mission. (default 5)
--- @field stalls? integer Rounds in a row in which no obligation falls, before the mission takes another way. (default 10)
--- @field tokens? integer Input and output tokens, over all sessions. (default 4000000)
--- @field turns? integer Turns of one session. (default 60)
--- @field wait_ms? integer The longest wait that a provider may ask for, in milliseconds. (default 600000)
--- @field wall_ms? integer Wall time since the start, in milliseconds. (default 14400000)

--- @class orchestrator.settings.log
--- @field file? boolean Write files of messages, one a day, which only you can read. (default false)
--- @field keep? integer The most files that are kept. (default 7)
--- @field level? string What is written there: `error`, `warn`, `info`, `debug` or `trace`, also for single modules (`info,orchestrator_lsp::gate=debug`). (default info)

--- @class orchestrator.settings.memory
--- @field high? integer Tokens of a conversation at which its oldest results give way to notes; 0: only when the model says that it is too long. (default 30000)
--- @field low? integer About how many tokens a cut leaves; at most half of `high`. (default 6000)
--- @field recall? boolean Sessions are told what the project's files say and what was noted; without it there is no `note`. (default true)

--- @class orchestrator.settings.missions
--- @field second? "beside"|"refuse" A mission that is begun before another has ended. (default beside)

--- @class orchestrator.settings.model
--- @field answer_timeout_ms? integer An answer must end within that many milliseconds, however busy it looks. Default 1800000.
--- @field api_key? string The key. Local servers need none.
--- @field base_url? string Where the endpoint is, without `/chat/completions` or `/v1/messages`. Without it: the vendor's own.
--- @field connect_timeout_ms? integer How long connecting may take, in milliseconds. Default 10000.
--- @field cool_down_ms? integer For how long a model that fails again and again is not asked, at first, in milliseconds. Default 15000.
--- @field fallback? table Who is asked while this model is out of order. What it leaves open is taken from this model, but for the price, and for the key and the headers unless it lives at the same address.
--- @field headers? table Extra headers; their values are treated as secrets.
--- @field idle_timeout_ms? integer No byte for that long, in milliseconds, and the answer counts as stalled. Default 180000.
--- @field max_answer_bytes? integer An answer may have at most that many bytes on the wire. Default 64 MiB.
--- @field max_output_tokens? integer Upper bound of an answer in tokens. Anthropic demands one: 16384 there, the server's own elsewhere.
--- @field model? string The model's name, or `replay:path/to/script.json`.
--- @field price? table What tokens cost; without it turns are counted as free.
--- @field provider? "openai"|"anthropic"|"replay" The wire format. Without it: `replay` for a model named `replay:…`, `anthropic` for Anthropic's own base URL or a model named `claude…` without a base URL, else `openai`.
--- @field quiet_timeout_ms? integer Nothing of an answer for that long, only signs of life, and it counts as stalled. Default 600000.
--- @field slots? integer The most requests to this model that are under way at once. Default: `[slots] model`.
--- @field temperature? number Sampling temperature; not sent when left out.

--- @class orchestrator.settings.seal
--- @field mutants? integer Seconds for mutants: slips in the changed lines that no check notices; 0 looks for none. (default 20)
--- @field tests? "each-task"|"at-the-seal" When the project's tests run, besides before the mission and at the seal. (default each-task)

--- @class orchestrator.settings.slots
--- @field free_memory_mb? integer Memory of the machine that is to stay free, in MiB; 0: whatever. (default 256)
--- @field model? integer To one model of it, where the model's own `slots` does not say otherwise. (default 64)
--- @field provider? integer To one provider: one address, with one key. (default 64)
--- @field start? integer How many of both to begin with. (default 16)

--- @class orchestrator.settings.telemetry
--- @field endpoint? string Where a collector takes OTLP over HTTP, without `/v1/traces`: `http://localhost:4318`. Without it nothing is sent.
--- @field headers? table More headers of each request to it, a key for instance.
--- @field service_name? string What this program is called there. (default orchestrator)

--- @class orchestrator.Settings
--- @field fetch? orchestrator.settings.fetch Pages of the web.
--- @field gate? orchestrator.settings.gate Languages, servers and tools.
--- @field journal? orchestrator.settings.journal Which ended missions stay at hand.
--- @field limits? orchestrator.settings.limits What one mission may spend.
--- @field log? orchestrator.settings.log Log files.
--- @field memory? orchestrator.settings.memory What sessions are told, and when their conversations are cut.
--- @field missions? orchestrator.settings.missions Several missions at a time.
--- @field model? orchestrator.settings.model Who is asked, in every role.
--- @field prices? table<string, table> What models cost, by their names, in US dollars per million tokens. A `price` of `[model]` or of a role goes before.
--- @field roles? table<string, table> What of that is another for a role.
--- @field seal? orchestrator.settings.seal Tests, and what is looked at once all is green.
--- @field slots? orchestrator.settings.slots How many requests may be under way at once, over all sessions and missions of a process.
--- @field telemetry? orchestrator.settings.telemetry Spans for a collector.
