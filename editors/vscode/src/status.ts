/** The status item: the mission that matters most, in one line. A click shows all. */

import {
  type Disposable,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
} from 'vscode';
import { byInterest, icon, type Mission, standing } from './mission';

export class Status implements Disposable {
  private readonly item: StatusBarItem;
  private readonly missions = new Map<string, Mission>();

  constructor() {
    this.item = window.createStatusBarItem('orchestrator.mission', StatusBarAlignment.Left);
    this.item.name = 'Orchestrator';
    this.item.command = 'orchestrator.ui.status';
  }

  /** The server runs, or ended; what was known of its missions is forgotten. */
  idle(running: boolean): void {
    this.missions.clear();
    this.show(running ? '$(rocket) Orchestrator' : '$(rocket) Orchestrator: stopped', 'Missions');
  }

  update(mission: Mission): void {
    this.missions.set(mission.id, mission);
    const shown = [...this.missions.values()].sort(byInterest)[0] ?? mission;
    this.show(`$(${icon(shown)}) ${standing(shown)}`, shown.goal);
    if (shown.state === 'blocked' || shown.state === 'failed') {
      this.item.backgroundColor = new ThemeColor('statusBarItem.warningBackground');
    }
  }

  dispose(): void {
    this.item.dispose();
  }

  private show(text: string, tooltip: string): void {
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = undefined;
    this.item.show();
  }
}
