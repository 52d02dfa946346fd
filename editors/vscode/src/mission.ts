/** A mission as the server shows it, and the words that this editor finds for it. See docs/protocol.md. */

export type Mark = 'pending' | 'active' | 'done' | 'failed';

export interface Step {
  id: string;
  title: string;
  mark: Mark;
  evidence?: string | null;
  note?: string | null;
}

export interface Task {
  id: string;
  title: string;
  steps: Step[];
}

export interface Milestone {
  id: string;
  title: string;
  tasks: Task[];
}

/** What requests came to: tokens, and money in millionths of a dollar. */
export interface Account {
  requests?: number;
  input?: number;
  output?: number;
  cached?: number;
  micro_usd?: number;
}

export interface AgentSession {
  id: number;
  role: string;
  item: string | null;
  turns: number;
  activity: string;
  account?: Account;
}

export interface Finding {
  id: number;
  item: string | null;
  by: string;
  file?: string | null;
  /** 1-based. */
  line?: number | null;
  severity: 'error' | 'warning' | 'info';
  message: string;
  status: 'open' | 'closed' | { dismissed: string };
}

export interface Receipt {
  receipt: number;
  item: string;
  files: string[];
  summary: string;
  undone?: boolean;
}

export interface Question {
  number: number;
  role: string;
  item: string | null;
  text: string;
  choices: string[];
}

export interface Line {
  /** Milliseconds since the epoch. */
  at: number;
  role: string | null;
  item: string | null;
  kind: string;
  text: string;
}

export type End =
  | { end: 'sealed'; hash: string }
  | { end: 'blocked'; needs: string }
  | { end: 'exhausted'; limit: string }
  | { end: 'cancelled' }
  | { end: 'failed'; reason: string };

export interface Mission {
  id: string;
  goal: string;
  engine: string;
  state: string;
  /** `null` until it has ended. */
  end: End | null;
  plan: { milestones: Milestone[] } | null;
  /** Done steps and all steps. */
  progress: [number, number];
  findings: Finding[];
  receipts: Receipt[];
  questions?: Question[];
  sessions: AgentSession[];
  account?: Account;
  /** By role. */
  roles?: Record<string, Account>;
  /** By model and host. */
  providers?: Record<string, Account>;
  story: Line[];
  /** Milliseconds since the epoch, as `now`. */
  started_at: number;
  now: number;
}

/** The order in which missions matter to a person: open ones first, then the newest. */
export function byInterest(a: Mission, b: Mission): number {
  return Number(isOpen(b)) - Number(isOpen(a)) || b.started_at - a.started_at;
}

export function isOpen(mission: Mission): boolean {
  return mission.end === null;
}

export function canPause(mission: Mission): boolean {
  return isOpen(mission) && mission.state !== 'paused' && mission.state !== 'planned';
}

/** A blocked mission has ended, and goes on all the same. */
export function canResume(mission: Mission): boolean {
  return ['paused', 'planned', 'blocked'].includes(mission.state);
}

const RESTING = new Map([
  ['sealed', 'verified-filled'],
  ['planned', 'list-ordered'],
  ['paused', 'debug-pause'],
  ['blocked', 'warning'],
  ['exhausted', 'warning'],
  ['cancelled', 'circle-slash'],
  ['failed', 'error'],
]);

/** The name of the icon that shows the state. */
export function icon(mission: Mission): string {
  return RESTING.get(mission.state) ?? 'sync~spin';
}

/** `working 3/8` */
export function standing(mission: Mission): string {
  const [done, all] = mission.progress;
  return all === 0 ? mission.state : `${mission.state} ${String(done)}/${String(all)}`;
}

/** What goes with the end: the need, the limit, the reason. Nothing for what needs no explanation. */
export function detail(end: End | null): string {
  switch (end?.end) {
    case 'blocked':
      return `It needs: ${end.needs}`;
    case 'exhausted':
      return `Out of fuel: ${end.limit}`;
    case 'failed':
      return end.reason;
    case 'sealed':
      return `Seal ${end.hash.slice(0, 12)}`;
    default:
      return '';
  }
}

/** Where a task stands, by its steps. */
export function markOf(steps: Step[]): Mark {
  const has = (mark: Mark): boolean => steps.some((step) => step.mark === mark);
  if (has('failed')) {
    return 'failed';
  }
  if (steps.length > 0 && steps.every((step) => step.mark === 'done')) {
    return 'done';
  }
  return has('active') || has('done') ? 'active' : 'pending';
}

/** What the mission last told of a session: of its task, or where it has none of its role. */
export function lastWords(mission: Mission, session: AgentSession): Line | undefined {
  return mission.story.findLast((line) =>
    session.item === null
      ? line.role === session.role && line.item === null
      : line.item === session.item && (line.role === null || line.role === session.role),
  );
}
