/** The documents of the server that show an accepted change, and where an item stands in the plan. */

import type { Receipt } from './mission';

export const SCHEME = 'orchestrator';

export interface Pair {
  file: string;
  before: string;
  after: string;
}

/** The documents of a file before and after a change, or of all its files. */
export function pairs(mission: string, { receipt, files }: Receipt, only?: string): Pair[] {
  const document = (side: string, file: string): string => {
    const parts = [mission, 'change', String(receipt), side, ...file.split('/')];
    return `${SCHEME}:/${parts.map(encodeURIComponent).join('/')}`;
  };
  return files
    .filter((file) => only === undefined || file === only)
    .map((file) => ({
      file,
      before: document('before', file),
      after: document('after', file),
    }));
}

export function report(mission: string): string {
  return `${SCHEME}:/${encodeURIComponent(mission)}/report.md`;
}

/** The 0-based line of an item in the text of the plan; the first one when it is not there. */
export function lineOf(plan: string, item: string): number {
  const at = plan
    .split('\n')
    .findIndex((line) => /^(?:#+ |\s*- \[.\] )(\S+):/.exec(line)?.[1] === item);
  return Math.max(at, 0);
}
