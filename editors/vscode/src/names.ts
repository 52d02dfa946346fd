/** The commands of this extension, without their prefix. The server's own are `orchestrator.task` and so on, and are
 * registered by the client library when it connects. */

export const PREFIX = 'orchestrator.ui.';

export const NAMES = [
  'task',
  'plan',
  'agents',
  'status',
  'pause',
  'resume',
  'cancel',
  'answer',
  'undo',
  'redo',
  'keep',
  'diff',
  'report',
  'openPlan',
  'openItem',
  'openFile',
  'runItem',
  'fixFinding',
  'dismissFinding',
  'undoChange',
  'keepChange',
  'doctor',
  'restart',
  'log',
] as const;

export type Name = (typeof NAMES)[number];
