/**
 * The extension: starts the server and puts its commands into the palette. It decides nothing; all that the server can
 * show through standard features (diagnostics, actions, lenses, progress) is left to them.
 */

import { commands, type ExtensionContext, window, workspace } from 'vscode';
import { begin, cancel, openPlan, status } from './commands';
import { SETTING } from './program';
import { Session } from './session';
import { Status } from './status';

let session: Session | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel('Orchestrator', { log: true });
  const item = new Status();
  const current = new Session(log, item);
  session = current;

  // The server's own commands, `orchestrator.task` and so on, are registered by the client library when it connects.
  const palette: Record<string, () => unknown> = {
    task: () => begin(current, 'task'),
    plan: () => begin(current, 'plan'),
    status: () => status(current),
    cancel: () => cancel(current),
    openPlan,
    doctor: () => current.ask('orchestrator.doctor'),
    restart: () => current.restart(),
    log: () => {
      log.show();
    },
  };
  context.subscriptions.push(
    log,
    item,
    ...Object.entries(palette).map(([name, run]) =>
      commands.registerCommand(`orchestrator.ui.${name}`, run),
    ),
    workspace.onDidChangeConfiguration((change) =>
      change.affectsConfiguration(SETTING) ? current.restart() : undefined,
    ),
  );
  await current.start();
}

export function deactivate(): Promise<void> | undefined {
  return session?.stop();
}
