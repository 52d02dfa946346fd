/**
 * The extension: starts the server, puts its commands into the palette, and shows its missions. It decides nothing; all that
 * the server can show through standard features (diagnostics, actions, lenses, progress, messages) is left to them.
 */

import { commands, type ExtensionContext, window, workspace } from 'vscode';
import { AgentsPanel } from './agentsPanel';
import { diff, handlers } from './commands';
import { Missions } from './missions';
import { MissionsTree } from './missionsTree';
import { PREFIX } from './names';
import { bundledIn, SETTING } from './program';
import { Session } from './session';
import { ofServer } from './settings';
import { Status } from './status';
import type { Target } from './tree';

let session: Session | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const log = window.createOutputChannel('Orchestrator', { log: true });
  const missions = new Missions();
  const item = new Status(missions);
  const settings = ofServer(Object.keys(manifest(context).contributes.configuration.properties));
  const onRunning = (running: boolean): void => {
    item.set(running);
  };
  const current: Session = new Session(
    log,
    missions,
    bundledIn(context.extensionPath),
    onRunning,
    // The server would show a change as one text; this editor has a better way.
    { 'orchestrator.change.open': (change: Target) => diff(current, change) },
    settings,
  );
  session = current;
  const showLog = (): void => {
    log.show();
  };
  context.subscriptions.push(
    log,
    item,
    window.registerTreeDataProvider('orchestrator.missions', new MissionsTree(missions)),
    window.registerWebviewViewProvider('orchestrator.agents', new AgentsPanel(missions)),
    ...Object.entries(handlers(current, showLog)).map(([name, run]) =>
      commands.registerCommand(`${PREFIX}${name}`, run),
    ),
    workspace.onDidChangeConfiguration((change) =>
      [SETTING, ...settings].some((setting) => change.affectsConfiguration(setting))
        ? current.restart()
        : undefined,
    ),
    workspace.onDidGrantWorkspaceTrust(() => current.trust()),
  );
  await current.start();
}

interface Manifest {
  contributes: { configuration: { properties: Record<string, unknown> } };
}

function manifest(context: ExtensionContext): Manifest {
  return context.extension.packageJSON as Manifest;
}

export function deactivate(): Promise<void> | undefined {
  return session?.stop();
}
