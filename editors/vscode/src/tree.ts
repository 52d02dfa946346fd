/**
 * What the missions tree shows, as plain values: which lines, in which order, and what can be done with each. The editor's
 * own types are `missionsTree.ts`.
 */

import {
  byInterest,
  canPause,
  canResume,
  detail,
  type Finding,
  icon,
  isOpen,
  type Mark,
  markOf,
  type Mission,
  type Receipt,
  standing,
} from './mission';
import { bill, duration, plural, short } from './words';

/** What a line stands for: what its commands are told. */
export interface Target {
  mission: string;
  item?: string;
  finding?: number;
  receipt?: number;
  /** Relative to the workspace. */
  file?: string;
  /** 1-based. */
  line?: number;
  question?: number;
}

export interface Node {
  /** The same for the same thing in the next view, so that the tree keeps its folds and its selection. */
  id: string;
  label: string;
  description?: string;
  tooltip?: string;
  icon?: string;
  /** A colour of the theme. */
  color?: string;
  /** Which commands it offers, by the `when` clauses of package.json. */
  context?: string;
  /** The command of a click, without the prefix `orchestrator.ui.`. */
  click?: string;
  target: Target;
  children?: Node[];
  expanded?: boolean;
}

export function tree(missions: Iterable<Mission>): Node[] {
  return [...missions].sort(byInterest).map((mission, at) => ({
    ...missionNode(mission),
    expanded: at === 0,
  }));
}

function missionNode(mission: Mission): Node {
  const target = { mission: mission.id };
  const can = [
    'mission',
    canPause(mission) ? 'pause' : '',
    canResume(mission) ? 'resume' : '',
    isOpen(mission) ? 'cancel' : '',
  ];
  const { milestones } = mission.plan ?? { milestones: [] };
  const color = COLORS.get(mission.state);
  return {
    id: mission.id,
    label: short(mission.goal),
    description: standing(mission),
    tooltip: [mission.goal, detail(mission.end)].filter((text) => text !== '').join('\n\n'),
    icon: icon(mission),
    ...(color === undefined ? {} : { color }),
    context: can.filter((word) => word !== '').join(' '),
    target,
    children: [
      ...questions(mission),
      ...milestones.map((milestone) => ({
        id: `${mission.id}/${milestone.id}`,
        label: milestone.title,
        description: milestone.id,
        icon: MARKS[markOf(milestone.tasks.flatMap(({ steps }) => steps))].icon,
        context: 'milestone',
        click: 'openItem',
        target: { ...target, item: milestone.id },
        expanded: true,
        children: milestone.tasks.map((task) => ({
          ...planned(task.id, task.title, markOf(task.steps), mission),
          context: task.steps.every(({ mark }) => mark === 'done') ? 'item' : 'item run',
          children: task.steps.map((step) => ({
            ...planned(step.id, step.title, step.mark, mission),
            tooltip: [step.title, step.evidence, step.note].filter(Boolean).join('\n\n'),
            context: step.mark === 'done' ? 'item' : 'item run',
          })),
        })),
      })),
      ...sessions(mission),
      ...findings(mission),
      ...receipts(mission),
      cost(mission),
    ],
  };
}

const COLORS = new Map([
  ['sealed', 'testing.iconPassed'],
  ['blocked', 'problemsWarningIcon.foreground'],
  ['exhausted', 'problemsWarningIcon.foreground'],
  ['failed', 'problemsErrorIcon.foreground'],
]);

const MARKS: Record<Mark, { icon: string; color?: string }> = {
  pending: { icon: 'circle-large-outline' },
  active: { icon: 'sync' },
  done: { icon: 'pass', color: 'testing.iconPassed' },
  failed: { icon: 'error', color: 'testing.iconFailed' },
};

function planned(id: string, title: string, mark: Mark, mission: Mission): Node {
  return {
    id: `${mission.id}/${id}`,
    label: title,
    description: id,
    tooltip: `${id}: ${title}`,
    ...MARKS[mark],
    click: 'openItem',
    target: { mission: mission.id, item: id },
  };
}

/** A line with others below it; none when there are none. */
function group(
  mission: Mission,
  name: string,
  label: string,
  icon: string,
  children: Node[],
  expanded = false,
): Node[] {
  const target = { mission: mission.id };
  const description = String(children.length);
  return children.length === 0
    ? []
    : [{ id: `${mission.id}/${name}`, label, description, icon, target, children, expanded }];
}

function questions(mission: Mission): Node[] {
  return (mission.questions ?? []).map((question) => ({
    id: `${mission.id}/question/${String(question.number)}`,
    label: question.text,
    description: `${question.role} asks`,
    tooltip: [question.text, ...question.choices].join('\n- '),
    icon: 'question',
    color: 'problemsWarningIcon.foreground',
    context: 'question',
    click: 'answer',
    target: { mission: mission.id, question: question.number },
  }));
}

function sessions(mission: Mission): Node[] {
  const lines = mission.sessions.map((session) => ({
    id: `${mission.id}/session/${String(session.id)}`,
    label: [session.role, session.item].filter(Boolean).join(' '),
    description: `${session.activity}, ${plural(session.turns, 'turn')}`,
    tooltip: bill(session.account),
    icon: 'person',
    context: 'session',
    click: 'agents',
    target: { mission: mission.id, ...(session.item === null ? {} : { item: session.item }) },
  }));
  return group(mission, 'sessions', 'Sessions', 'organization', lines, true);
}

const SEVERITY: Record<Finding['severity'], { icon: string; color: string }> = {
  error: { icon: 'error', color: 'problemsErrorIcon.foreground' },
  warning: { icon: 'warning', color: 'problemsWarningIcon.foreground' },
  info: { icon: 'info', color: 'problemsInfoIcon.foreground' },
};

/** The open ones; what is closed is history, and the report has it. */
function findings(mission: Mission): Node[] {
  const open = mission.findings.filter(({ status }) => status === 'open');
  const lines = open.map((finding) => {
    const at = place(finding);
    return {
      id: `${mission.id}/finding/${String(finding.id)}`,
      label: short(finding.message),
      description: [finding.by, at].filter((text) => text !== '').join(' · '),
      tooltip: finding.message,
      ...SEVERITY[finding.severity],
      context: 'finding',
      click: finding.file == null ? 'openItem' : 'openFile',
      target: {
        mission: mission.id,
        finding: finding.id,
        ...(finding.item === null ? {} : { item: finding.item }),
        ...(finding.file == null ? {} : { file: finding.file }),
        ...(finding.line == null ? {} : { line: finding.line }),
      },
    };
  });
  return group(mission, 'findings', 'Findings', 'bug', lines, true);
}

function place({ file, line, item }: Finding): string {
  if (file == null) {
    return item ?? '';
  }
  return line == null ? file : `${file}:${String(line)}`;
}

function receipts(mission: Mission): Node[] {
  const lines = mission.receipts.map((receipt) => receiptNode(mission, receipt));
  return group(mission, 'receipts', 'Changes', 'diff-multiple', lines);
}

function receiptNode(mission: Mission, { receipt, item, files, summary, undone }: Receipt): Node {
  const target = { mission: mission.id, receipt };
  return {
    id: `${mission.id}/receipt/${String(receipt)}`,
    label: `#${String(receipt)} ${item}`,
    description: undone === true ? 'taken back' : plural(files.length, 'file'),
    tooltip: summary,
    icon: undone === true ? 'discard' : 'verified',
    context: undone === true ? 'receipt' : 'receipt stands',
    click: 'diff',
    target,
    children: files.map((file) => ({
      id: `${mission.id}/receipt/${String(receipt)}/${file}`,
      label: file,
      icon: 'diff',
      context: 'receiptFile',
      click: 'diff',
      target: { ...target, file },
    })),
  };
}

function cost(mission: Mission): Node {
  const target = { mission: mission.id };
  const by = (kind: string, accounts: Mission['roles']): Node[] =>
    Object.entries(accounts ?? {}).map(([name, account]) => ({
      id: `${mission.id}/cost/${kind}/${name}`,
      label: name,
      description: bill(account),
      icon: kind === 'role' ? 'person' : 'server-environment',
      target,
    }));
  return {
    id: `${mission.id}/cost`,
    label: 'Cost',
    description: bill(mission.account),
    tooltip: `${mission.engine}, ${duration(mission.now - mission.started_at)}`,
    icon: 'credit-card',
    target,
    children: [...by('role', mission.roles), ...by('model', mission.providers)],
  };
}
