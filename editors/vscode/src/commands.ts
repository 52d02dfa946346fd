/**
 * The commands of the palette and of the missions tree. Each asks the server for one thing; what comes of it is shown by the
 * standard features. A command that comes from a line of the tree means that line, else the person is asked what is meant,
 * where there is a choice.
 */

import { commands, type QuickPickItem, Range, Uri, ViewColumn, window, workspace } from 'vscode';
import { lineOf, pairs, report as reportOf } from './changes';
import {
  byInterest,
  canPause,
  canResume,
  detail,
  icon,
  isOpen,
  type Mission,
  type Receipt,
  standing,
} from './mission';
import { type Name, PREFIX } from './names';
import type { Session } from './session';
import type { Node, Target } from './tree';
import { plural, short } from './words';

type Handlers = Record<Name, (node?: Node | Target) => unknown>;

export function handlers(session: Session, showLog: () => void): Handlers {
  const tell = async (
    what: string,
    wanted: (mission: Mission) => boolean,
    from?: Node | Target,
  ) => {
    const mission = await chosen(session, wanted, from, `Which mission is to ${what}?`);
    return mission && session.ask(`orchestrator.${what}`, { mission: mission.id });
  };
  return {
    task: () => begin(session, 'task'),
    plan: () => begin(session, 'plan'),
    agents: () => commands.executeCommand('orchestrator.agents.focus'),
    status: () => status(session),
    pause: (from) => tell('pause', canPause, from),
    resume: (from) => tell('resume', canResume, from),
    cancel: (from) => tell('cancel', isOpen, from),
    answer: (from) => answer(session, from),
    undo: () => session.ask('orchestrator.change.undo'),
    redo: (from) => session.ask('orchestrator.change.redo', only(from)),
    keep: () =>
      session.can('orchestrator.change.keep') ? session.ask('orchestrator.change.keep') : undefined,
    diff: (from) => diff(session, from),
    report: (from) => report(session, from),
    openPlan: () => openPlan(),
    openItem: (from) => openPlan(target(from)?.item),
    openFile: (from) => openFile(target(from)),
    runItem: (from) => ofTree(from, 'item', (item) => session.ask('orchestrator.todo.run', item)),
    fixFinding: (from) =>
      ofTree(from, 'finding', (finding) => session.ask('orchestrator.finding.fix', finding)),
    dismissFinding: (from) =>
      ofTree(from, 'finding', (finding) => session.ask('orchestrator.finding.dismiss', finding)),
    undoChange: (from) =>
      ofTree(from, 'receipt', (change) => session.ask('orchestrator.change.undo', change)),
    keepChange: (from) =>
      ofTree(from, 'receipt', (change) =>
        session.can('orchestrator.change.keep')
          ? session.ask('orchestrator.change.keep', change)
          : undefined,
      ),
    doctor: () => session.ask('orchestrator.doctor'),
    restart: () => session.restart(),
    log: showLog,
  };
}

/** What a command was called with: a line of the tree, or what a lens or a key binding names. */
function target(from: Node | Target | undefined): Target | undefined {
  return from !== undefined && 'target' in from ? from.target : from;
}

function only(from: Node | Target | undefined): object {
  const of = target(from);
  return of === undefined ? {} : { mission: of.mission };
}

/** A command that is about one line of the tree. Without one it says where to find it. */
function ofTree(
  from: Node | Target | undefined,
  field: 'item' | 'finding' | 'receipt',
  ask: (argument: object) => unknown,
): unknown {
  const of = target(from);
  return of?.[field] === undefined
    ? window.showInformationMessage('Choose a line of the missions view first.')
    : ask({ mission: of.mission, [field]: of[field] });
}

/** `task` or `plan`: asks for a goal, and starts a mission with it. */
async function begin(session: Session, command: 'task' | 'plan'): Promise<void> {
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
async function status(session: Session): Promise<void> {
  const mission = await pick(await session.missions(), 'Missions');
  if (mission === undefined) {
    return;
  }
  const action = await window.showQuickPick(actions(mission), {
    title: `${mission.goal}: ${standing(mission)}`,
    placeHolder: detail(mission.end),
  });
  await action?.run();
}

interface Action extends QuickPickItem {
  run: () => Thenable<unknown>;
}

function actions(mission: Mission): Action[] {
  const of: Target = { mission: mission.id };
  const action = (label: string, command: Name): Action => ({
    label,
    run: () => commands.executeCommand(`${PREFIX}${command}`, of),
  });
  return [
    action('$(list-tree) Open the plan', 'openPlan'),
    action('$(organization) Show the agents', 'agents'),
    ...(canPause(mission) ? [action('$(debug-pause) Pause', 'pause')] : []),
    ...(canResume(mission) ? [action('$(debug-continue) Resume', 'resume')] : []),
    ...(isOpen(mission) ? [action('$(circle-slash) Cancel', 'cancel')] : []),
    ...(mission.receipts.length > 0 ? [action('$(diff-multiple) Show a change', 'diff')] : []),
    action('$(book) Read the report', 'report'),
  ];
}

/** The mission that is meant; which one is asked only when there are several. */
async function chosen(
  session: Session,
  wanted: (mission: Mission) => boolean,
  from: Node | Target | undefined,
  title: string,
): Promise<Mission | undefined> {
  const all = await session.missions();
  const named = target(from)?.mission;
  const some = all?.filter((mission) => wanted(mission) && (named ?? mission.id) === mission.id);
  return some?.length === 1 ? some[0] : pick(some, title);
}

/** `undefined` are missions that could not be asked for, which the person was told already. */
async function pick(of: Mission[] | undefined, title: string): Promise<Mission | undefined> {
  if (of?.length === 0) {
    void window.showInformationMessage('There is no such mission. Start one with /task.');
    return undefined;
  }
  const items = of?.sort(byInterest).map((mission) => ({
    label: `$(${icon(mission)}) ${short(mission.goal)}`,
    description: standing(mission),
    detail: detail(mission.end),
    mission,
  }));
  return items && (await window.showQuickPick(items, { title }))?.mission;
}

/** Answers a question of an agent: the one of the line, else the oldest. */
async function answer(session: Session, from: Node | Target | undefined): Promise<void> {
  const of = target(from);
  const asks = (mission: Mission): boolean => (mission.questions ?? []).length > 0;
  const mission = await chosen(session, asks, from, 'Which mission?');
  const questions = mission?.questions ?? [];
  const question = questions.find(({ number }) => number === of?.question) ?? questions[0];
  if (mission === undefined || question === undefined) {
    return;
  }
  const title = `${question.role} asks`;
  const text =
    question.choices.length > 0
      ? await window.showQuickPick(question.choices, { title, placeHolder: question.text })
      : await window.showInputBox({ title, prompt: question.text, ignoreFocusOut: true });
  if (text !== undefined && text.trim() !== '') {
    const argument = { mission: mission.id, question: question.number, text };
    await session.ask('orchestrator.answer', argument);
  }
}

/** Shows what a change made of its files, or of one of them: before and after, side by side. */
export async function diff(session: Session, from: Node | Target | undefined): Promise<void> {
  const of = target(from);
  const changed = (mission: Mission): boolean => mission.receipts.length > 0;
  const mission = await chosen(session, changed, from, 'Changes of which mission?');
  const receipt = mission && (await chosenReceipt(mission, of?.receipt));
  if (mission === undefined || receipt === undefined || !session.can('orchestrator.change.text')) {
    return;
  }
  const title = `#${String(receipt.receipt)} ${receipt.item}`;
  const documents = pairs(mission.id, receipt, of?.file);
  const [first] = documents;
  if (documents.length === 1 && first !== undefined) {
    const sides = [Uri.parse(first.before), Uri.parse(first.after)];
    await commands.executeCommand('vscode.diff', ...sides, `${first.file} (${title})`);
    return;
  }
  const all = documents.map(({ before, after }) => [
    Uri.parse(after),
    Uri.parse(before),
    Uri.parse(after),
  ]);
  await commands.executeCommand('vscode.changes', title, all);
}

async function chosenReceipt(mission: Mission, wanted?: number): Promise<Receipt | undefined> {
  const named = mission.receipts.find(({ receipt }) => receipt === wanted);
  if (named !== undefined) {
    return named;
  }
  const items = mission.receipts.toReversed().map((receipt) => ({
    label: `#${String(receipt.receipt)} ${receipt.item}`,
    description: receipt.undone === true ? 'taken back' : plural(receipt.files.length, 'file'),
    detail: receipt.files.join(', '),
    receipt,
  }));
  return (await window.showQuickPick(items, { title: 'Which change?' }))?.receipt;
}

/** Shows what a mission did, from its goal to its end. */
async function report(session: Session, from: Node | Target | undefined): Promise<void> {
  const mission = await chosen(session, () => true, from, 'The report of which mission?');
  if (mission !== undefined && session.can('orchestrator.report')) {
    await commands.executeCommand('markdown.showPreview', Uri.parse(reportOf(mission.id)));
  }
}

async function openPlan(item?: string): Promise<void> {
  const plan = inFolder('.opencode/todo.md');
  if (plan === undefined) {
    void window.showInformationMessage('Open a folder first: a plan belongs to one.');
    return;
  }
  try {
    const document = await workspace.openTextDocument(plan);
    const line = item === undefined ? 0 : lineOf(document.getText(), item);
    await window.showTextDocument(document, at(line));
  } catch {
    void window.showInformationMessage(
      'There is no plan yet. Start a mission with /task or /plan.',
    );
  }
}

async function openFile(of: Target | undefined): Promise<void> {
  const file = of?.file === undefined ? undefined : inFolder(of.file);
  if (file !== undefined) {
    await window.showTextDocument(file, at((of?.line ?? 1) - 1));
  }
}

function at(line: number): { selection: Range; viewColumn: ViewColumn } {
  return { selection: new Range(line, 0, line, 0), viewColumn: ViewColumn.Active };
}

function inFolder(path: string): Uri | undefined {
  const folder = workspace.workspaceFolders?.[0];
  return folder && Uri.joinPath(folder.uri, ...path.split('/'));
}
