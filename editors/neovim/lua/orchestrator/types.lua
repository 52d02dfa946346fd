--- @meta
-- What the server tells of a mission, as far as the plugin reads it. docs/protocol.md has the rest.

--- @class orchestrator.Step
--- @field id string `S1.2.3`
--- @field title string
--- @field mark "pending"|"active"|"done"|"failed"

--- @class orchestrator.Task
--- @field id string `T1.2`
--- @field title string
--- @field steps orchestrator.Step[]

--- @class orchestrator.Milestone
--- @field id string `M1`
--- @field title string
--- @field tasks orchestrator.Task[]

--- @class orchestrator.Session
--- @field id integer
--- @field role string
--- @field item? string
--- @field turns integer
--- @field activity string

--- @class orchestrator.Finding
--- @field id integer
--- @field item? string
--- @field by string
--- @field file? string
--- @field line? integer
--- @field severity "error"|"warning"|"info"
--- @field message string
--- @field status string|table<string, string> `open`, `closed`, or `{ dismissed = reason }`

--- @class orchestrator.Receipt
--- @field receipt integer
--- @field item string
--- @field files string[]
--- @field summary string
--- @field undone boolean

--- @class orchestrator.Question
--- @field number integer
--- @field role string
--- @field text string
--- @field choices string[]

--- @class orchestrator.Mission
--- @field id string
--- @field goal string
--- @field state string
--- @field end? { end: string, hash?: string, needs?: string, limit?: string, reason?: string }
--- @field plan? { goal: string, milestones: orchestrator.Milestone[] }
--- @field progress [integer, integer] done steps and all steps
--- @field findings orchestrator.Finding[]
--- @field receipts orchestrator.Receipt[]
--- @field questions? orchestrator.Question[]
--- @field sessions orchestrator.Session[]
--- @field account { requests: integer, input: integer, output: integer, micro_usd: integer }
--- @field started_at integer milliseconds since the epoch
