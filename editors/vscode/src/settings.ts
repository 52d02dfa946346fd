/** The settings that are the server's: what the person has set of them, in the shape of its configuration file. */

/** A value of a setting, where the person has set it: in their own settings, never in those of a workspace. */
export type ValueOf = (setting: string) => unknown;

const PREFIX = 'orchestrator.';
/** Settings of the extension itself. */
const OWN = ['orchestrator.server.path', 'orchestrator.trace.server'];

/** The server's settings among all that the extension has. */
export function ofServer(all: string[]): string[] {
  return all.filter((setting) => setting.startsWith(PREFIX) && !OWN.includes(setting));
}

/** What is set of these, as a tree; `undefined` where nothing is. */
export function gather(settings: string[], valueOf: ValueOf): object | undefined {
  const tree: Record<string, unknown> = {};
  for (const setting of settings) {
    const value = valueOf(setting);
    if (value === undefined) {
      continue;
    }
    const path = setting.slice(PREFIX.length).split('.');
    const last = path.pop() ?? '';
    let place = tree;
    for (const name of path) {
      place = (place[name] ??= {}) as Record<string, unknown>;
    }
    place[last] = value;
  }
  return Object.keys(tree).length > 0 ? tree : undefined;
}
