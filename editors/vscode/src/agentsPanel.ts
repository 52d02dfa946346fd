/** The panel of the running agents: a view whose page is `agents.ts`. */

import { randomBytes } from 'node:crypto';
import type { WebviewView, WebviewViewProvider } from 'vscode';
import { body, page } from './agents';
import type { Missions } from './missions';

export class AgentsPanel implements WebviewViewProvider {
  private view: WebviewView | undefined;

  constructor(private readonly missions: Missions) {
    missions.onChange(() => {
      this.show();
    });
  }

  resolveWebviewView(view: WebviewView): void {
    view.webview.options = { enableScripts: true, localResourceRoots: [] };
    // It says when it can listen: what is sent before that is lost.
    view.webview.onDidReceiveMessage(() => {
      this.view = view;
      this.show();
    });
    view.onDidDispose(() => {
      this.view = undefined;
    });
    view.onDidChangeVisibility(() => {
      this.show();
    });
    view.webview.html = page(randomBytes(16).toString('hex'));
  }

  private show(): void {
    if (this.view?.visible === true) {
      void this.view.webview.postMessage(body(this.missions.all()));
    }
  }
}
