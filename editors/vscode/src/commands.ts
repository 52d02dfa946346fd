/** The palette. Each command asks the server for one thing; what comes of it is shown by the standard features. */

import { type QuickPickItem, Uri, window, workspace } from 'vscode';
import { byInterest, icon, isOpen, type Mission, standing } from './mission';
import type { Session } from './session';

/** `task` or `plan`: asks for a goal, and starts a mission with it. */
export async function begin(session: Session, command: 'task' | 'plan'): Promise<void> {
  const goal = await window.showInputBox({
    title: `/${command}`,
    prompt: command === 'task' ? 'What is to be reached?' : 'What is to be planned?',
    placeHolder: 'fix all diagnostics',
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'A goal is needed.' : undefined),
  });
  if (goal !== undefined) {
    await session.ask(`orchestrator.${command}`, { goal });
  }
}

/** All missions; choosing one offers what can be done with it. */
export async function status(session: Session): Promise<void> {
  const mission = await choose(await missions(session), 'Missions');
  if (mission === undefined) {
    return;
  }
  const action = await window.showQuickPick(actions(mission), {
    title: `${mission.goal}: ${standing(mission)}`,
  });
  await action?.run(session);
}

/** Cancels the open mission; which one is asked only when there are several. */
export async function cancel(session: Session): Promise<void> {
  const open = (await missions(session))?.filter(isOpen);
  const mission = open?.length === 1 ? open[0] : await choose(open, 'Cancel which mission?');
  if (mission !== undefined) {
    await session.ask('orchestrator.cancel', { mission: mission.id });
  }
}

export async function openPlan(): Promise<void> {
  const folder = workspace.workspaceFolders?.[0];
  if (folder === undefined) {
    void window.showInformationMessage('Open a folder first: a plan belongs to one.');
    return;
  }
  const plan = Uri.joinPath(folder.uri, '.opencode', 'todo.md');
  try {
    await window.showTextDocument(plan);
  } catch {
    void window.showInformationMessage(
      'There is no plan yet. Start a mission with /task or /plan.',
    );
  }
}

async function missions(session: Session): Promise<Mission[] | undefined> {
  const answer = await session.ask<{ missions: Mission[] }>('orchestrator.status');
  return answer?.missions.sort(byInterest);
}

/** `undefined` are missions that could not be asked for, which the person was told already. */
async function choose(of: Mission[] | undefined, title: string): Promise<Mission | undefined> {
  if (of?.length === 0) {
    void window.showInformationMessage('There is no such mission. Start one with /task.');
    return undefined;
  }
  const items = of?.map((mission) => ({
    label: `$(${icon(mission)}) ${mission.goal}`,
    description: standing(mission),
    mission,
  }));
  return items && (await window.showQuickPick(items, { title }))?.mission;
}

interface Action extends QuickPickItem {
  run: (session: Session) => Promise<unknown>;
}

function actions(mission: Mission): Action[] {
  const tell = (label: string, command: string): Action => ({
    label,
    run: (session) => session.ask(`orchestrator.${command}`, { mission: mission.id }),
  });
  return [
    { label: '$(list-tree) Open the plan', run: openPlan },
    ...(isOpen(mission) && mission.state !== 'paused'
      ? [tell('$(debug-pause) Pause', 'pause')]
      : []),
    ...(['paused', 'planned', 'blocked'].includes(mission.state)
      ? [tell('$(debug-continue) Resume', 'resume')]
      : []),
    ...(isOpen(mission) ? [tell('$(circle-slash) Cancel', 'cancel')] : []),
  ];
}
