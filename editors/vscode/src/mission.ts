/** A mission as the server shows it, and the words that this editor finds for it. See docs/protocol.md. */

export interface Mission {
  id: string;
  goal: string;
  state: string;
  /** `null` until it has ended. */
  end: unknown;
  /** Done steps and all steps. */
  progress: [number, number];
  /** Milliseconds since the epoch. */
  started_at: number;
}

/** The order in which missions matter to a person: open ones first, then the newest. */
export function byInterest(a: Mission, b: Mission): number {
  return Number(isOpen(b)) - Number(isOpen(a)) || b.started_at - a.started_at;
}

export function isOpen(mission: Mission): boolean {
  return mission.end === null;
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
