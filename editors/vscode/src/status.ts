/** The status item: the mission that matters most, in one line. A click shows all. */

import {
  type Disposable,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
} from 'vscode';
import { detail, icon, standing } from './mission';
import type { Missions } from './missions';

export class Status implements Disposable {
  private readonly item: StatusBarItem;
  private running = false;

  constructor(private readonly missions: Missions) {
    this.item = window.createStatusBarItem('orchestrator.mission', StatusBarAlignment.Left);
    this.item.name = 'Orchestrator';
    this.item.command = 'orchestrator.ui.status';
    missions.onChange(() => {
      this.show();
    });
  }

  /** The server runs, or ended. */
  set(running: boolean): void {
    this.running = running;
    this.show();
  }

  dispose(): void {
    this.item.dispose();
  }

  private show(): void {
    const [mission] = this.missions.all();
    const isUrgent = mission?.state === 'blocked' || mission?.state === 'failed';
    this.item.backgroundColor = isUrgent
      ? new ThemeColor('statusBarItem.warningBackground')
      : undefined;
    if (!this.running) {
      this.item.text = '$(rocket) Orchestrator: stopped';
      this.item.tooltip = 'The server does not run';
    } else if (mission === undefined) {
      this.item.text = '$(rocket) Orchestrator';
      this.item.tooltip = 'Missions';
    } else {
      this.item.text = `$(${icon(mission)}) ${standing(mission)}`;
      this.item.tooltip = [mission.goal, detail(mission.end)].filter(Boolean).join('\n');
    }
    this.item.show();
  }
}
