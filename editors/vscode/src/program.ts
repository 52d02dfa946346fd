/** Where the server's program is. Knows nothing of the editor, so that it can be tested without one. */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { homedir } from 'node:os';

/** The variable that wins over the setting. */
export const VARIABLE = 'ORCHESTRATOR_SERVER';
/** The setting that wins over what was bundled with the extension, and over `PATH`. */
export const SETTING = 'orchestrator.server.path';

export type Found = { program: string } | { problem: string };

/** Where a package of the extension for one platform has the program. */
export function bundledIn(extension: string): string {
  return join(extension, 'server', 'orchestrator');
}

/** The program named by the environment, else by the setting, else the bundled one, else the first one on `PATH`. */
export function find(environment: NodeJS.ProcessEnv, setting: string, bundled: string): Found {
  const named = [
    { by: `the environment variable ${VARIABLE}`, path: environment[VARIABLE]?.trim() ?? '' },
    { by: `the setting ${SETTING}`, path: setting.trim() },
  ].find(({ path }) => path !== '');
  const path = environment.PATH ?? environment.Path ?? '';
  if (named === undefined) {
    const program = suffixes(bundled).find(runs) ?? onPath('orchestrator', path);
    return program !== undefined
      ? { program }
      : {
          problem: `The program \`orchestrator\` is not on PATH. Install it, or name it in ${SETTING}.`,
        };
  }
  const program = resolve(named.path, path);
  return program !== undefined
    ? { program }
    : { problem: `There is no program ${named.path}, which ${named.by} names.` };
}

/** A bare name is looked for on `PATH`; `~` is the home folder. A relative path would depend on who asks: none is taken. */
function resolve(name: string, path: string): string | undefined {
  if (!name.includes('/') && !name.includes('\\')) {
    return onPath(name, path);
  }
  const full = name.startsWith('~') ? join(homedir(), name.slice(1)) : name;
  return isAbsolute(full) ? suffixes(full).find(runs) : undefined;
}

function onPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .flatMap((folder) => suffixes(join(folder, name)))
    .find(runs);
}

function suffixes(path: string): string[] {
  return process.platform === 'win32' ? [path, `${path}.exe`] : [path];
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
