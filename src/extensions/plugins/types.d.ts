/**
 * What a plugin in `.opencode/plugins/*.js|mjs` exports and finds around it. Save this beside your plugins, and begin one with
 * `/** @type {import("./plugin").Plugin} *\/` to have your editor check it.
 */

/** What is to be done about a tool's call. */
export type PreTool =
  | { action: "allow" }
  | { action: "block"; reason?: string }
  | { action: "modify"; modifiedArgs: Record<string, unknown> };
/** What is to become of a goal. */
export type Chat = { action: "process"; modifiedMessage?: string } | { action: "intercept"; reason?: string };
/** What is to follow a turn. */
export type Done = { action: "continue" } | { action: "stop"; reason?: string } | { action: "inject"; prompts: string[] };

/** Who acts. */
export interface HookContext {
  /** The mission and the session in it. */
  sessionID: string;
  /** The role, or the project's agent that plays it. */
  agent: string;
  /** The workspace. */
  directory: string;
  /** Empty here; for plugins that look. */
  sessions: Map<string, unknown>;
}

/** When a hook is called, and what its failure means. */
export interface HookMetadata {
  name?: string;
  /** 0 to 100, the low one first; 50 where nothing is said. */
  priority?: number;
  /** Before the priority. */
  phase?: "early" | "normal" | "late";
  /** Names of hooks or plugins that come before. */
  dependencies?: string[];
  /** `stop`: nothing goes on when it fails; `retry`: it is called once more. */
  errorHandling?: "continue" | "stop" | "retry";
}

type MaybePromise<T> = T | Promise<T>;
/** A function, or an object with one and its metadata. */
export type Hook<F> = F | (HookMetadata & { metadata?: HookMetadata; execute: F });

export interface Tool {
  description?: string;
  /** Schemas by name, as `tool.schema` builds them, or a JSON schema of an object. */
  args?: Record<string, unknown>;
  execute(args: any, context: HookContext & { messageID: string; abort: { aborted: boolean } }): MaybePromise<unknown>;
}

export interface Plugin {
  name: string;
  version?: string;
  description?: string;
  tools?: Record<string, Tool>;
  hooks?: {
    preTool?: Hook<(context: HookContext, tool: string, args: Record<string, unknown>) => MaybePromise<PreTool | void>>;
    postTool?: Hook<
      (
        context: HookContext,
        tool: string,
        input: Record<string, unknown>,
        output: { title: string; output: string; metadata: Record<string, unknown> },
      ) => MaybePromise<{ output?: string } | string | void>
    >;
    chat?: Hook<(context: HookContext, message: string) => MaybePromise<Chat | void>>;
    done?: Hook<(context: HookContext, finalText: string) => MaybePromise<Done | void>>;
  };
  init?(context: { directory: string }): MaybePromise<void>;
  cleanup?(): MaybePromise<void>;
}

declare global {
  /** Files that the manifest names under `read`. Paths are relative to the workspace. */
  const workspace: { read(path: string): Promise<string>; list(folder?: string): Promise<string[]> };
}
