/** Figures as people read them. */

import type { Account } from './mission';

/** `1`, `9,999`, `48.2k`, `1.3M` */
export function count(n: number): string {
  if (n < 10_000) {
    return n.toLocaleString('en-US');
  }
  return n < 999_950 ? `${(n / 1000).toFixed(1)}k` : `${(n / 1_000_000).toFixed(1)}M`;
}

/** From millionths of a dollar: `$0.0310`, `$12.34`; empty where nothing was paid, or no price is known. */
export function money(micro: number): string {
  if (micro === 0) {
    return '';
  }
  const dollars = micro / 1_000_000;
  return `$${dollars.toFixed(dollars < 1 ? 4 : 2)}`;
}

/** `8 s`, `3 min 5 s`, `2 h 4 min` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) {
    return `${String(hours)} h ${String(minutes % 60)} min`;
  }
  return minutes > 0 ? `${String(minutes)} min ${String(seconds % 60)} s` : `${String(seconds)} s`;
}

export function plural(n: number, one: string): string {
  return `${count(n)} ${one}${n === 1 ? '' : 's'}`;
}

export function tokens(account: Account | undefined): number {
  return (account?.input ?? 0) + (account?.output ?? 0);
}

/** `12 requests, 48.2k tokens, $0.0310` */
export function bill(account: Account | undefined): string {
  return [
    plural(account?.requests ?? 0, 'request'),
    `${count(tokens(account))} tokens`,
    money(account?.micro_usd ?? 0),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** On one line, and not longer than that many characters. */
export function short(text: string, most = 100): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join('')}…`;
}
