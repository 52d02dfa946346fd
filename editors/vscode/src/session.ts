/** The server's life: found, started, asked, restarted, ended. One at a time. */

import { commands, type LogOutputChannel, window, workspace } from 'vscode';
import { LanguageClient, State, TransportKind } from 'vscode-languageclient/node';
import type { Mission } from './mission';
import type { Missions } from './missions';
import { find, SETTING } from './program';
import { gather } from './settings';

/** What a command of the server does here instead, with its first argument. */
export type Instead = Record<string, (argument: never) => Promise<unknown>>;

export class Session {
  private client: LanguageClient | undefined;

  constructor(
    private readonly log: LogOutputChannel,
    private readonly known: Missions,
    private readonly bundled: string,
    private readonly onRunning: (running: boolean) => void,
    private readonly instead: Instead,
    private readonly settings: string[],
  ) {}

  async start(): Promise<void> {
    const setting = workspace.getConfiguration().get<string>(SETTING, '');
    const found = find(process.env, setting, this.bundled);
    if ('problem' in found) {
      this.onRunning(false);
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
      return;
    }
    if (workspace.workspaceFolders !== undefined) {
      // Those that have ended are told of only when they are asked for.
      void this.missions();
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

  /** All missions; `undefined` when they cannot be asked for, which the person is told. */
  async missions(): Promise<Mission[] | undefined> {
    const answer = await this.ask<{ missions: Mission[] }>('orchestrator.status');
    this.known.update(...(answer?.missions ?? []));
    return answer?.missions;
  }

  /** Whether the server has a command. A person is told when it is too old for it. */
  can(command: string): boolean {
    const provider = this.client?.initializeResult?.capabilities.executeCommandProvider;
    const has = provider?.commands.includes(command) === true;
    if (!has) {
      void window.showErrorMessage(`This orchestrator is too old for that: it has no ${command}.`);
    }
    return has;
  }

  /** A person trusts the workspace: its programs may run now. */
  async trust(): Promise<void> {
    if (this.client?.state === State.Running) {
      await this.ask('orchestrator.trust');
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
        initializationOptions: {
          mission: true,
          trusted: workspace.isTrusted,
          settings: gather(
            this.settings,
            // Not the workspace's: nothing of it says which model is asked, or what may be spent.
            (setting) => workspace.getConfiguration().inspect(setting)?.globalValue,
          ),
        },
        outputChannel: this.log,
        middleware: {
          executeCommand: (command, args: unknown[], next): unknown => {
            const instead = this.instead[command];
            return instead === undefined ? next(command, args) : instead(args[0] as never);
          },
        },
      },
    );
    client.onDidChangeState(({ newState }) => {
      if (newState !== State.Starting) {
        this.known.clear();
        this.onRunning(newState === State.Running);
      }
    });
    // That a mission was sealed, or is blocked, the server says by `window/showMessage`, and the client library shows it:
    // a notification from here would be the second one.
    client.onNotification('orchestrator/mission', (mission: Mission) => {
      this.known.update(mission);
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
