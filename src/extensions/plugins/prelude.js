// What a plugin finds around it, and how it is spoken to. It runs first, in the plugin's own isolate; nothing here is a
// boundary: that is the engine, which gives this file five functions and nothing else.
(function (host) {
  "use strict";
  const stringify = JSON.stringify, parse = JSON.parse;

  // ---- console, timers, files, network ------------------------------------------------------------------------------
  const shown = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${value}\n${value.stack ?? ""}`.trim();
    try { return stringify(value) ?? String(value); } catch { return String(value); }
  };
  const level = (name) => (...values) => host.log(name, values.map(shown).join(" ").slice(0, 4000));
  globalThis.console = {
    log: level("info"), info: level("info"), debug: level("debug"), trace: level("debug"), warn: level("warn"), error: level("error"),
  };

  const timers = new Map();
  let newest = 0;
  const timer = (every) => (work, ms = 0, ...args) => {
    if (typeof work !== "function") throw new TypeError("a timer needs a function");
    if (timers.size >= 1000) throw new RangeError("a plugin has 1000 timers at most");
    const wait = Math.max(every ? 1 : 0, Number(ms) || 0);
    timers.set(++newest, { at: host.now() + wait, every: every ? wait : 0, work, args });
    return newest;
  };
  globalThis.setTimeout = timer(false);
  globalThis.setInterval = timer(true);
  globalThis.clearTimeout = globalThis.clearInterval = (id) => { timers.delete(id); };
  globalThis.queueMicrotask = (work) => { Promise.resolve().then(work); };

  /** Runs the timer that is due first. Answers with the milliseconds until the next one is due, -1 where there is none. */
  const tick = () => {
    let first;
    for (const [id, one] of timers) if (!first || one.at < first.at) first = { id, ...one };
    if (!first) return -1;
    const left = first.at - host.now();
    if (left > 0) return left;
    const again = timers.get(first.id);
    if (first.every) again.at = host.now() + first.every; else timers.delete(first.id);
    first.work(...first.args);
    return 0;
  };

  const headers = (given) => {
    const pairs = given instanceof Map ? [...given] : Array.isArray(given) ? given : Object.entries(given ?? {});
    return pairs.map(([name, value]) => [String(name), String(value)]);
  };
  globalThis.fetch = async (url, options = {}) => {
    const body = options.body === undefined || options.body === null ? null : String(options.body);
    const asked = { url: String(url), method: String(options.method ?? "GET").toUpperCase(), headers: headers(options.headers), body };
    const answer = parse(host.fetch(stringify(asked)));
    const found = new Map(answer.headers);
    return {
      status: answer.status, ok: answer.status >= 200 && answer.status < 300, statusText: "", url: answer.url,
      headers: { get: (name) => found.get(String(name).toLowerCase()) ?? null, has: (name) => found.has(String(name).toLowerCase()), entries: () => found.entries() },
      text: async () => answer.body, json: async () => parse(answer.body),
    };
  };
  globalThis.workspace = Object.freeze({
    read: async (path) => host.read(String(path)),
    list: async (folder = "") => parse(host.list(String(folder))),
  });
  globalThis.require = (name) => { throw new Error(`there is no require here (of "${name}"): a plugin is one ES module, and runs without Node`); };

  // ---- schemas of arguments -----------------------------------------------------------------------------------------
  class Schema {
    constructor(json, isOptional = false) { this.json = json; this.isOptional = isOptional; }
    with(more) { return new Schema({ ...this.json, ...more }, this.isOptional); }
    describe(text) { return this.with({ description: String(text) }); }
    meta(more) { return this.with(more); }
    optional() { return new Schema(this.json, true); }
    nullish() { return this.nullable().optional(); }
    nullable() { const { description, ...inner } = this.json; return new Schema({ anyOf: [inner, { type: "null" }], ...(description ? { description } : {}) }, this.isOptional); }
    default(value) { return new Schema({ ...this.json, default: value }, true); }
    bound(kinds, value) { return this.with({ [kinds[this.json.type] ?? kinds.number]: value }); }
    min(value) { return this.bound({ string: "minLength", array: "minItems", number: "minimum", integer: "minimum" }, value); }
    max(value) { return this.bound({ string: "maxLength", array: "maxItems", number: "maximum", integer: "maximum" }, value); }
    gte(value) { return this.min(value); }
    lte(value) { return this.max(value); }
    gt(value) { return this.with({ exclusiveMinimum: value }); }
    lt(value) { return this.with({ exclusiveMaximum: value }); }
    length(value) { return this.min(value).max(value); }
    nonempty() { return this.min(1); }
    int() { return this.with({ type: "integer" }); }
    positive() { return this.gt(0); }
    nonnegative() { return this.min(0); }
    negative() { return this.lt(0); }
    multipleOf(value) { return this.with({ multipleOf: value }); }
    regex(pattern) { return this.with({ pattern: pattern.source ?? String(pattern) }); }
    email() { return this.with({ format: "email" }); }
    url() { return this.with({ format: "uri" }); }
    uuid() { return this.with({ format: "uuid" }); }
    datetime() { return this.with({ format: "date-time" }); }
    startsWith(text) { return this.with({ pattern: "^" + String(text).replace(/[.*+?^${}()|[\]\\]/g, "\\$&") }); }
    trim() { return this; }
    array() { return schema.array(this); }
    or(other) { return schema.union([this, other]); }
    strict() { return this.with({ additionalProperties: false }); }
    passthrough() { return this.with({ additionalProperties: true }); }
    parse(value) { const copy = fitted(this.json, value, "value"); return copy; }
    safeParse(value) { try { return { success: true, data: this.parse(value) }; } catch (error) { return { success: false, error }; } }
  }
  const json = (one) => (one instanceof Schema ? one.json : one);
  const object = (fields) => {
    const entries = Object.entries(fields);
    const isOptional = (one) => (one instanceof Schema ? one.isOptional : one?.optional === true || one?.required === false || (one && "default" in one));
    const plain = (one) => {
      if (one instanceof Schema) return one.json;
      if (typeof one === "string") return { type: one };
      if (!one || typeof one !== "object") throw new TypeError("an argument is described by a schema");
      const { optional, required, ...rest } = one;
      return Array.isArray(required) ? { ...rest, required } : rest;
    };
    return {
      type: "object",
      properties: Object.fromEntries(entries.map(([name, one]) => [name, plain(one)])),
      required: entries.filter(([, one]) => !isOptional(one)).map(([name]) => name),
    };
  };
  const of = (type) => () => new Schema({ type });
  const schema = {
    string: of("string"), number: of("number"), boolean: of("boolean"), null: of("null"),
    int: () => new Schema({ type: "integer" }), bigint: () => new Schema({ type: "integer" }),
    any: () => new Schema({}), unknown: () => new Schema({}), date: () => new Schema({ type: "string", format: "date-time" }),
    literal: (value) => new Schema({ const: value }),
    enum: (values) => new Schema({ type: "string", enum: Array.isArray(values) ? [...values] : Object.values(values) }),
    nativeEnum: (values) => new Schema({ enum: Object.values(values) }),
    array: (item) => new Schema({ type: "array", items: json(item) }),
    tuple: (items) => new Schema({ type: "array", prefixItems: items.map(json), minItems: items.length, maxItems: items.length }),
    object: (fields = {}) => new Schema(object(fields)),
    record: (key, value) => new Schema({ type: "object", additionalProperties: json(value ?? key) }),
    union: (all) => new Schema({ anyOf: all.map(json) }),
    discriminatedUnion: (_key, all) => new Schema({ anyOf: all.map(json) }),
    optional: (one) => one.optional(),
    coerce: { string: of("string"), number: of("number"), boolean: of("boolean") },
  };
  const tool = (definition) => definition;
  tool.schema = schema;
  host.built = { tool, schema };

  const schemaOf = (args) => {
    if (args === undefined || args === null) return { type: "object", properties: {} };
    if (args instanceof Schema) return args.json;
    if (typeof args !== "object") throw new TypeError("`args` is an object of schemas");
    if (args.type === "object" && typeof (args.properties ?? {}) === "object" && !(args.type instanceof Schema)) return args;
    return object(args);
  };

  /** The value with its defaults, where it fits the schema. */
  const fitted = (wanted, value, at) => {
    if (!wanted || typeof wanted !== "object") return value;
    if (value === undefined && "default" in wanted) return wanted.default;
    const wrong = (what) => { throw new TypeError(`${at} is to be ${what}`); };
    if (Array.isArray(wanted.anyOf)) {
      for (const one of wanted.anyOf) try { return fitted(one, value, at); } catch {}
      wrong("one of its kinds");
    }
    if ("const" in wanted && stringify(value) !== stringify(wanted.const)) wrong(stringify(wanted.const));
    if (Array.isArray(wanted.enum) && !wanted.enum.some((one) => stringify(one) === stringify(value))) wrong(`one of ${wanted.enum.map((one) => stringify(one)).join(", ")}`);
    const is = { string: (v) => typeof v === "string", number: (v) => typeof v === "number", integer: Number.isInteger, boolean: (v) => typeof v === "boolean",
      null: (v) => v === null, array: Array.isArray, object: (v) => v && typeof v === "object" && !Array.isArray(v) };
    const types = wanted.type === undefined ? [] : [].concat(wanted.type);
    if (types.length && !types.some((type) => !is[type] || is[type](value))) wrong(`of the type ${types.join(" or ")}`);
    if (typeof value === "string") {
      if (value.length < wanted.minLength || value.length > wanted.maxLength) wrong("of another length");
      if (wanted.pattern && !new RegExp(wanted.pattern, "u").test(value)) wrong(`like ${wanted.pattern}`);
    }
    if (typeof value === "number") {
      if (value < wanted.minimum || value <= wanted.exclusiveMinimum) wrong("greater");
      if (value > wanted.maximum || value >= wanted.exclusiveMaximum) wrong("smaller");
    }
    if (Array.isArray(value)) {
      if (value.length < wanted.minItems || value.length > wanted.maxItems) wrong("of another length");
      return wanted.items ? value.map((one, index) => fitted(wanted.items, one, `${at}[${index}]`)) : value;
    }
    if (types.includes("object")) {
      const copy = { ...value };
      for (const [name, one] of Object.entries(wanted.properties ?? {})) {
        if (copy[name] === undefined && !("default" in Object(one))) {
          if ((wanted.required ?? []).includes(name)) wrong(`an object with \`${name}\``);
        } else copy[name] = fitted(one, copy[name], `${at}.${name}`);
      }
      return copy;
    }
    return value;
  };

  // ---- the plugin ---------------------------------------------------------------------------------------------------
  const KINDS = ["preTool", "postTool", "chat", "done"];
  const FIELDS = ["name", "version", "description", "tools", "hooks", "init", "cleanup"];
  let plugin;
  const tools = new Map(), hooks = new Map();
  const text = (value) => (value === undefined || value === null ? "" : String(value));

  const describe = (module) => {
    plugin = module.default ?? module;
    const problems = [];
    const problem = (at, message) => problems.push({ at, message });
    if (!plugin || typeof plugin !== "object") return stringify({ fatal: "the module's default export is no object" });
    if (typeof plugin.name !== "string" || !plugin.name.trim()) return stringify({ fatal: "the plugin has no `name`" });
    for (const field of Object.keys(plugin)) if (!FIELDS.includes(field)) problem(field, `a plugin has no field \`${field}\`; it has ${FIELDS.join(", ")}`);
    for (const field of ["init", "cleanup"]) if (plugin[field] !== undefined && typeof plugin[field] !== "function") problem(field, `\`${field}\` is to be a function`);
    const offered = [];
    for (const [name, one] of Object.entries(plugin.tools ?? {})) {
      if (typeof one?.execute !== "function") { problem(`tools.${name}`, `the tool \`${name}\` has no function \`execute\``); continue; }
      try {
        const wanted = parse(stringify(schemaOf(one.args ?? one.parameters)));
        tools.set(name, { one, wanted });
        offered.push({ name, description: text(one.description), schema: wanted });
      } catch (error) { problem(`tools.${name}`, `the arguments of \`${name}\` are not understood: ${error?.message ?? error}`); }
    }
    const kept = [];
    for (const [kind, given] of Object.entries(plugin.hooks ?? {})) {
      if (!KINDS.includes(kind)) { problem(`hooks.${kind}`, `there is no hook \`${kind}\`; there are ${KINDS.join(", ")}`); continue; }
      [].concat(given).forEach((one, index) => {
        const work = typeof one === "function" ? one : one?.execute;
        if (typeof work !== "function") return problem(`hooks.${kind}`, `the hook \`${kind}\` is no function, and has no \`execute\``);
        const is = { ...(one.metadata ?? {}), ...(typeof one === "object" ? one : {}) };
        const name = text(is.name) || plugin.name;
        hooks.set(`${kind}/${index}`, work.bind(one));
        const number = Number(is.priority ?? 50);
        if (!(number >= 0 && number <= 100)) problem(`hooks.${kind}`, "`priority` is a number from 0 to 100");
        if (is.phase !== undefined && !["early", "normal", "late"].includes(is.phase)) problem(`hooks.${kind}`, "`phase` is early, normal or late");
        if (is.errorHandling !== undefined && !["continue", "stop", "retry"].includes(is.errorHandling)) problem(`hooks.${kind}`, "`errorHandling` is continue, stop or retry");
        kept.push({ kind, key: `${kind}/${index}`, name, priority: number >= 0 && number <= 100 ? number : 50, phase: text(is.phase), dependencies: [].concat(is.dependencies ?? []).map(String), errorHandling: text(is.errorHandling) });
      });
    }
    const can = (field) => typeof plugin[field] === "function";
    return stringify({ name: plugin.name.trim(), version: text(plugin.version), description: text(plugin.description), tools: offered, hooks: kept, problems, init: can("init"), cleanup: can("cleanup") });
  };

  const output = (value) => (typeof value === "string" ? value : value === undefined ? "" : typeof value?.output === "string" ? value.output : typeof value?.content === "string" ? value.content : stringify(value) ?? "");
  const oneOf = (action, known) => { if (!known.includes(action)) throw new TypeError(`the answer's action is ${stringify(action)}; it can be ${known.join(", ")}`); return action; };
  const said = (value, known) => { const answer = value ?? {}; return { answer, action: oneOf(answer.action ?? known[0], known) }; };
  const calls = {
    init: async ({ directory }) => { await plugin.init({ directory }); return {}; },
    cleanup: async () => { await plugin.cleanup(); return {}; },
    tool: async ({ name, args, context }) => {
      const { one, wanted } = tools.get(name);
      const signal = { aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted() {} };
      const answer = await one.execute(fitted(wanted, args, "the argument"), { ...context, abort: signal });
      if (answer?.isError || typeof answer?.error === "string") throw new Error(answer.error ?? output(answer));
      return { output: output(answer) };
    },
    preTool: async ({ key, tool, args, context }) => {
      const { answer, action } = said(await hooks.get(key)(context, tool, args), ["allow", "block", "modify"]);
      const changed = answer.modifiedArgs ?? answer.args ?? args;
      if (action === "modify" && (!changed || typeof changed !== "object" || Array.isArray(changed))) throw new TypeError("`modify` needs the arguments, an object");
      return { action, args: action === "modify" ? changed : undefined, reason: text(answer.reason) };
    },
    postTool: async ({ key, tool, args, output, context }) => {
      const answer = await hooks.get(key)(context, tool, args, { title: tool, output, metadata: {} });
      const changed = typeof answer === "string" ? answer : answer?.output;
      if (changed !== undefined && typeof changed !== "string") throw new TypeError("`output` is to be a text");
      return { output: changed };
    },
    chat: async ({ key, message, context }) => {
      const { answer, action } = said(await hooks.get(key)(context, message), ["process", "intercept"]);
      const changed = answer.modifiedMessage ?? answer.message;
      return { action, message: changed === undefined ? undefined : text(changed), reason: text(answer.reason) };
    },
    done: async ({ key, text: finalText, context }) => {
      const { answer, action } = said(await hooks.get(key)(context, finalText), ["continue", "stop", "inject"]);
      return { action, reason: text(answer.reason), prompts: action === "inject" ? [].concat(answer.prompts ?? []).map(text).filter((one) => one.trim()) : [] };
    },
  };
  const call = async (kind, given) => {
    const asked = parse(given);
    if (asked.context) asked.context.sessions = new Map();
    return stringify(await calls[kind](asked));
  };
  const failure = (error) => (error instanceof Error ? `${error.name}: ${error.message}${error.stack ? "\n" + error.stack : ""}` : error === null ? "threw null (as does what has no memory left)" : `threw ${shown(error)}`);

  return { describe, call, tick, failure };
})
