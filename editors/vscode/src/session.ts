/** The server's life: found, started, asked, restarted, ended. One at a time. */

import { commands, type LogOutputChannel, window, workspace } from 'vscode';
import { LanguageClient, State, TransportKind } from 'vscode-languageclient/node';
import type { Mission } from './mission';
import { find, SETTING } from './program';
import type { Status } from './status';

export class Session {
  private client: LanguageClient | undefined;

  constructor(
    private readonly log: LogOutputChannel,
    private readonly status: Status,
  ) {}

  async start(): Promise<void> {
    const setting = workspace.getConfiguration().get<string>(SETTING, '');
    const found = find(process.env, setting);
    if ('problem' in found) {
      this.status.idle(false);
      this.complain(found.problem);
      return;
    }
    this.log.info(`starting ${found.program}`);
    const client = this.connect(found.program);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.complain(`${found.program} failed to start: ${words(error)}`);
    }
  }

  /** Performs a command of the server. What it refuses is shown to the person, and is `undefined` here. */
  async ask<T>(command: string, argument: object = {}): Promise<T | undefined> {
    if (this.client?.state !== State.Running) {
      this.complain('The Orchestrator server does not run.');
      return undefined;
    }
    try {
      return await this.client.sendRequest<T>('workspace/executeCommand', {
        command,
        arguments: [argument],
      });
    } catch (error) {
      void window.showErrorMessage(words(error));
      return undefined;
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    // A client that never came up has nothing to be stopped.
    if (client?.needsStop() === true) {
      await client.stop();
    }
    await client?.dispose();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  private connect(program: string): LanguageClient {
    const client = new LanguageClient(
      'orchestrator',
      'Orchestrator',
      { command: program, args: ['lsp'], transport: TransportKind.stdio },
      {
        documentSelector: [{ scheme: 'file' }],
        initializationOptions: { mission: true },
        outputChannel: this.log,
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (newState !== State.Starting) {
        this.status.idle(newState === State.Running);
      }
    });
    client.onNotification('orchestrator/mission', (mission: Mission) => {
      this.status.update(mission);
    });
    return client;
  }

  /** Not waited for: the message stays until the person has read it. */
  private complain(problem: string): void {
    this.log.error(problem);
    const [settings, log] = ['Open Settings', 'Show Log'];
    void window.showErrorMessage(problem, settings, log).then((choice) => {
      if (choice === settings) {
        return commands.executeCommand('workbench.action.openSettings', SETTING);
      }
      if (choice === log) {
        this.log.show();
      }
      return undefined;
    });
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
