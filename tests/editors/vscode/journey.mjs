// Missions in a real VS Code: its server part runs here, and a headless Chromium shows it, with the extension as it is packaged.
// Started in the folder of a project, a copy of the demo, with a replayed model.
//
// | variable | meaning |
// |---|---|
// | `EDITOR` | what install.mjs said |
// | `EXTENSION` | the packaged extension |
// | `ORCHESTRATOR_SERVER` | the program |
// | `ARTEFACTS` | the folder of the pictures |
// | `SCRATCH` | a folder for the editor's own data, empty |
// | `LIMIT` | seconds after which what does not come has not come; 120 by default |
//
// Each step waits for what it wants to see, and never for a time. All that was started is ended by its id, whatever happens.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { node, editor, playwright, chromium, environment } = JSON.parse(process.env.EDITOR);
const { chromium: browserType } = await import(pathToFileURL(playwright).href);
const { EXTENSION, ARTEFACTS, SCRATCH } = process.env;
const LIMIT = Number(process.env.LIMIT ?? 120) * 1000; // a busy machine is no defect
const PROJECT = process.cwd();
const begun = Date.now();

// The first mission is the demo's own, the others are replay.json's.
const CASE = 'Add --ignore-case, and sort words of equal count by name';
const DOCUMENT = 'Document the options';
const PUBLISH = 'Publish it';

const read = (path) => readFileSync(join(PROJECT, path), 'utf8');
const seconds = () => ((Date.now() - begun) / 1000).toFixed(1);

/** Waits until a condition holds, and returns what it came to. */
async function until(what, condition) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    assert.ok(Date.now() < end, `${what} did not come`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

class Code {
  /** Starts the editor with the extension, in the project. */
  async start() {
    const settings = JSON.stringify({
      'chat.disableAIFeatures': true,
      'editor.codeLens': true,
      'editor.fontFamily': 'DejaVu Sans Mono',
      'files.autoSave': 'off',
      'git.enabled': false,
      'remote.autoForwardPorts': false,
      'security.workspace.trust.startupPrompt': 'never',
      'security.workspace.trust.banner': 'never',
      'telemetry.telemetryLevel': 'off',
      'window.menuBarVisibility': 'compact',
      'workbench.secondarySideBar.defaultVisibility': 'hidden',
      'workbench.startupEditor': 'none',
      'workbench.tips.enabled': false,
    });
    mkdirSync(join(SCRATCH, 'data', 'User'), { recursive: true });
    writeFileSync(join(SCRATCH, 'data', 'User', 'settings.json'), settings);
    const options = ['--accept-server-license-terms', '--server-data-dir', SCRATCH];
    execFileSync(node, [editor, ...options, '--install-extension', EXTENSION], {
      timeout: LIMIT,
      stdio: 'pipe',
    });

    const serve = ['--host', '127.0.0.1', '--port', '0', '--without-connection-token'];
    // A group of its own, so that it can be ended with all that it starts.
    this.server = spawn(node, [editor, ...options, ...serve], { detached: true });
    this.log = '';
    for (const stream of [this.server.stdout, this.server.stderr]) {
      stream.on('data', (data) => {
        this.log += data;
      });
    }
    const listens = () => /agent listening on (\d+)/.exec(this.log)?.[1];
    const port = await until('the editor', listens);

    this.browser = await browserType.launch({
      executablePath: chromium,
      timeout: LIMIT,
      env: { ...process.env, ...environment },
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    this.page = await this.browser.newPage({ viewport: { width: 1200, height: 720 } });
    this.page.setDefaultTimeout(LIMIT);
    await this.page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(PROJECT)}`);
    await this.status('Orchestrator').waitFor();
  }

  async stop() {
    await this.browser?.close();
    if (this.server?.exitCode === null) {
      const ended = new Promise((end) => this.server.once('exit', end));
      process.kill(-this.server.pid, 'SIGTERM');
      const late = setTimeout(() => process.kill(-this.server.pid, 'SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
  }

  async picture(name) {
    // A message slides in.
    await this.page
      .locator('.notification-toast')
      .evaluateAll((toasts) =>
        Promise.all(
          toasts.flatMap((toast) => toast.getAnimations().map((animation) => animation.finished)),
        ),
      );
    await this.page.mouse.move(900, 715); // no hover in the picture
    await this.page.screenshot({ path: join(ARTEFACTS, `${name}.png`) });
  }

  status(text) {
    return this.page.locator('.statusbar-item', { hasText: text });
  }

  row(text) {
    return this.page.locator('.sidebar [role=treeitem]', { hasText: text }).first();
  }

  /** Unfolds a line until another one is seen: a click may meet a tree that is just being built anew. */
  async unfold(text, inside) {
    await until(`${inside} below ${text}`, async () => {
      await this.row(text).click();
      return this.row(inside)
        .waitFor({ timeout: 5000 })
        .then(
          () => true,
          () => false,
        );
    });
  }

  toast(text) {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }

  /** Types into the quick input until the list offers it, and takes it. */
  async pick(typed, offered) {
    const input = this.page.locator('.quick-input-widget input.input');
    await input.fill(typed);
    await this.page
      .locator('.quick-input-list .monaco-list-row', { hasText: offered })
      .first()
      .click();
  }

  async command(title) {
    await this.page.keyboard.press('Control+Shift+P');
    await this.pick(`>${title}`, title);
  }

  /** Answers an input box. */
  async answer(title, text) {
    await this.page.locator('.quick-input-title', { hasText: title }).waitFor();
    await this.page.locator('.quick-input-widget input.input').fill(text);
    await this.page.keyboard.press('Enter');
  }

  async open(file) {
    await this.page.keyboard.press('Control+P');
    await this.pick(file, file.split('/').at(-1));
    await this.tab(file.split('/').at(-1)).waitFor();
  }

  tab(name) {
    return this.page.locator('.tab.active', { hasText: name });
  }

  /** Where the text of the active editor is clicked, and typed. */
  text() {
    return this.page.locator('.editor-instance:visible .view-lines').last();
  }

  /** Saves the active editor until the disk has what is wanted; saving is what a person does, too. */
  async save(path, wanted) {
    await until(`${path} on the disk`, async () => {
      await this.page.keyboard.press('Control+S');
      const text = read(path);
      return text !== '' && wanted(text); // empty while it is being written
    });
  }

  /** Presses keys until something is seen: right after a file was opened they may come too early. */
  async again(keys, wanted) {
    await until(`what ${keys} shows`, async () => {
      await this.page.keyboard.press(keys);
      const came = await wanted
        .first()
        .waitFor({ timeout: 5000 })
        .then(
          () => true,
          () => false,
        );
      if (!came) {
        await this.page.keyboard.press('Escape');
      }
      return came;
    });
  }

  async closeToasts() {
    await this.command('Notifications: Clear All Notifications');
  }

  /** The frame of the agents panel. */
  async agents() {
    return until('the panel of agents', async () => {
      for (const frame of this.page.frames()) {
        if ((await frame.title().catch(() => '')) === 'Agents') {
          return frame;
        }
      }
      return undefined;
    });
  }
}

const STEPS = {
  'nothing is run in a workspace that is not trusted'() {
    return untrusted();
  },

  async 'a task from the palette is worked on'() {
    await code.open('src/main.rs');
    await code.page.locator('.activitybar a[aria-label="Orchestrator"]').click();
    await code.command('Orchestrator: /task: Start a Mission');
    await code.answer('/task', CASE);
    await code.row(CASE).waitFor();
    await code.status(/working \d\/\d/).waitFor();
    await code.row('Count words without regard to case').waitFor();
    const panel = await code.agents();
    await panel.locator('li strong').first().waitFor();
    await code.picture('working');
  },

  async 'it is sealed, and says so'() {
    await code.toast('Mission sealed').waitFor({ timeout: 2 * LIMIT }); // it builds and tests several times
    await code.status('sealed 5/5').waitFor();
    assert.ok(
      !read('src/main.rs').includes('options.case'),
      'an open file is the editor’s to save',
    );
    assert.ok(read('README.md').includes('--ignore-case'), 'a closed file changes on the disk');
    await code.picture('sealed');
    await code.closeToasts();
    await code.command('Orchestrator: Open the Plan');
    await code.tab('todo.md').waitFor();
    await code.page.locator('.codelens-decoration', { hasText: '5 of 5 done' }).waitFor();
    await code.picture('plan');
    await code.command('View: Close Editor');
    await code.tab('main.rs').waitFor();
  },

  async 'an accepted change is shown before and after'() {
    await code.page.locator('.codelens-decoration a', { hasText: 'T2.1 proved' }).first().click();
    await code.page.locator('.multiDiffEntry, .monaco-diff-editor').first().waitFor();
    await code.page.locator('.line-insert, .char-insert').first().waitFor();
    await code.picture('change');
    await code.command('View: Close Editor');
    await code.tab('main.rs').waitFor();
  },

  async 'one Ctrl+Z takes one accepted change back'() {
    await code.text().click({ position: { x: 300, y: 8 } });
    await code.save('src/main.rs', (text) => text.includes('options.case'));
    await code.page.keyboard.press('Control+Z');
    await code.save('src/main.rs', (text) => !text.includes('options.case'));
    assert.ok(read('src/main.rs').includes('Case::Kept'), 'the change before it stands');
  },

  async 'what is kept has no lens any more'() {
    const lens = (text) => code.page.locator('.codelens-decoration a', { hasText: text });
    // The editor asks for lenses some time after an edit: those of the change that was taken back go first.
    const ofTheFirst = async () =>
      (await lens('T1.1 proved').count()) > 0 && (await lens('T2.1 proved').count()) === 0;
    await until('the lenses of the change that stands', ofTheFirst);
    await until('their end', async () => {
      const keep = lens('Keep').first();
      await keep.click({ timeout: 2000 }).catch(() => undefined); // it may go while it is aimed at
      await code.page.waitForTimeout(1000);
      return (await lens('proved').count()) === 0;
    });
  },

  async 'an item of a plan is run by its code action'() {
    await code.command('Orchestrator: /plan: Make a Plan');
    await code.answer('/plan', DOCUMENT);
    await code.status('planned 0/2').waitFor();
    await code.closeToasts();
    await code.row('The code says what').click();
    await code.tab('todo.md').waitFor();
    await code.page.locator('.editor-instance .view-line', { hasText: 'T1.1:' }).click();
    const action = code.page.locator('.action-widget .monaco-list-row', { hasText: 'Run T1.1' });
    await code.again('Control+.', action);
    await code.picture('action');
    await action.click();
    await code.status('planned 1/2').waitFor();
    assert.match(read('src/options.rs'), /10 unless `--top` says otherwise/);
  },

  async 'findings stand in the Problems panel'() {
    await code.closeToasts();
    await code.page.keyboard.press('Control+Shift+M');
    const problem = code.page.locator('.markers-panel [role=treeitem]', {
      hasText: 'may stand after files',
    });
    await problem.waitFor();
    await code.row('may stand after files').waitFor();
    await code.picture('problems');
    await code.page.keyboard.press('Control+Shift+M');
  },

  async 'a running agent is seen, and its mission is cancelled'() {
    await code.command('Orchestrator: Resume Mission');
    const panel = await code.agents();
    await panel.locator('li strong', { hasText: 'worker T1.2' }).waitFor();
    await code.row('worker T1.2').waitFor();
    await code.picture('agents');
    await code.command('Orchestrator: Cancel Mission');
    await code.toast('Mission cancelled').waitFor();
    await code.status('cancelled 1/2').waitFor();
    await panel.getByText('No agent is at work').waitFor();
    await code.closeToasts();
  },

  async 'the newest change is taken back, in a closed file'() {
    await code.command('Orchestrator: Undo the Newest Change');
    await until('the text before it', () => !read('src/options.rs').includes('otherwise'));
    await code.unfold('Changes', 'taken back');
  },

  async 'a blocked mission says what it needs'() {
    await code.command('Orchestrator: /task: Start a Mission');
    await code.answer('/task', PUBLISH);
    await code.toast('a person who says where it is to be published').waitFor();
    await code.status('blocked').waitFor();
    await code.picture('blocked');
    await code.closeToasts();
  },

  async 'the walkthrough leads to the first mission'() {
    await code.command('Welcome: Open Walkthrough...');
    await code.pick('Your first mission', 'Your first mission');
    await code.page.getByRole('button', { name: 'What is missing here?' }).click();
    await code
      .toast(/rust|cargo/i)
      .first()
      .waitFor(); // the doctor
    await code.page.locator('.getting-started-step .complete').first().waitFor();
    await code.closeToasts();
    await code.picture('walkthrough');
  },

  async 'the server starts again'() {
    await code.command('Orchestrator: Restart Server');
    await code.status('blocked').waitFor(); // what it was asked for, after it was forgotten
    await code.row(CASE).waitFor();
  },
};

async function untrusted() {
  await code.command('Orchestrator: /task: Start a Mission');
  await code.answer('/task', CASE);
  await code.toast(/trust/i).waitFor();
  await code.picture('untrusted');
  await code.closeToasts();
  await code.command('Workspaces: Manage Workspace Trust');
  await code.page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ }).click();
  await code.page
    .locator('.workspace-trust-editor', { hasText: 'You trust this folder' })
    .waitFor();
  await code.command('View: Close Editor');
}

rmSync(ARTEFACTS, { recursive: true, force: true });
mkdirSync(ARTEFACTS, { recursive: true });
const code = new Code();
let step = 'the editor starts';
try {
  await code.start();
  console.log(`${seconds()} s: ${step}`);
  for (const [name, run] of Object.entries(STEPS)) {
    step = name;
    await run();
    console.log(`${seconds()} s: ${step}`);
  }
  console.log('passed');
} catch (error) {
  const picture = join(ARTEFACTS, 'failed.png');
  await code.page?.screenshot({ path: picture }).catch(() => undefined);
  writeFileSync(join(ARTEFACTS, 'editor.log'), code.log ?? '');
  console.error(
    `${seconds()} s: failed: ${step}\n${error.stack}\nsee ${picture} and editor.log beside it`,
  );
  process.exitCode = 1;
} finally {
  await code.stop();
}
