import type { Mission } from '../src/mission';

/** A mission at work, with one of everything; `changes` wins. */
export function mission(changes: Partial<Mission> = {}): Mission {
  return {
    id: 'm-1',
    goal: 'Fold case',
    engine: 'replay',
    state: 'working',
    end: null,
    progress: [1, 3],
    plan: {
      milestones: [
        {
          id: 'M1',
          title: 'The library',
          tasks: [
            {
              id: 'T1.1',
              title: 'Count',
              steps: [
                { id: 'S1.1.1', title: 'takes a Case', mark: 'done', evidence: 'cargo test' },
                { id: 'S1.1.2', title: 'has a test', mark: 'pending' },
              ],
            },
            {
              id: 'T1.2',
              title: 'Sort',
              steps: [{ id: 'S1.2.1', title: 'ties', mark: 'pending' }],
            },
          ],
        },
      ],
    },
    findings: [
      {
        id: 1,
        item: 'T1.1',
        by: 'gate',
        file: 'src/main.rs',
        line: 7,
        severity: 'error',
        message: 'expected 2 arguments',
        status: 'open',
      },
      {
        id: 2,
        item: null,
        by: 'reviewer',
        severity: 'warning',
        message: 'was mended',
        status: 'closed',
      },
      {
        id: 3,
        item: null,
        by: 'reviewer',
        severity: 'info',
        message: 'no matter',
        status: { dismissed: 'no' },
      },
    ],
    receipts: [
      { receipt: 1, item: 'T1.1', files: ['src/count.rs', 'src/main.rs'], summary: 'compiles' },
      { receipt: 2, item: 'T1.2', files: ['README.md'], summary: 'compiles', undone: true },
    ],
    questions: [{ number: 1, role: 'worker', item: 'T1.2', text: 'Which order?', choices: ['a'] }],
    sessions: [
      {
        id: 4,
        role: 'worker',
        item: 'T1.1',
        turns: 1,
        activity: 'at the gate',
        account: { requests: 1, input: 900, output: 100, micro_usd: 1500 },
      },
    ],
    account: { requests: 12, input: 48_000, output: 210, micro_usd: 31_000 },
    roles: { worker: { requests: 12, input: 48_000, output: 210, micro_usd: 31_000 } },
    providers: {},
    story: [
      { at: 1, role: 'worker', item: 'T1.1', kind: 'step', text: 'reads' },
      { at: 2, role: 'worker', item: 'T1.1', kind: 'refused', text: 'refused: <b>' },
      { at: 3, role: 'worker', item: 'T1.2', kind: 'step', text: 'of another task' },
    ],
    started_at: 1000,
    now: 66_000,
    ...changes,
  };
}
