/** The missions that the server told of, and who wants to know when they change. */

import { byInterest, type Mission } from './mission';

export class Missions {
  private readonly known = new Map<string, Mission>();
  private readonly listeners: (() => void)[] = [];

  /** In the order in which they matter. */
  all(): Mission[] {
    return [...this.known.values()].sort(byInterest);
  }

  get(id: string): Mission | undefined {
    return this.known.get(id);
  }

  update(...missions: Mission[]): void {
    for (const mission of missions) {
      // An answer may have been overtaken by a notification.
      if ((this.known.get(mission.id)?.now ?? 0) <= mission.now) {
        this.known.set(mission.id, mission);
      }
    }
    this.tell();
  }

  /** The server ended: nothing is known of its missions any more. */
  clear(): void {
    this.known.clear();
    this.tell();
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }
}
