import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NAMES, PREFIX } from '../src/names';

interface Entry {
  command: string;
  when?: string;
}

interface Step {
  description: string;
  media: { markdown?: string; svg?: string };
  completionEvents: string[];
}

// The tests run from the extension's folder, where npm starts them.
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  capabilities: { untrustedWorkspaces: { supported: unknown; restrictedConfigurations: string[] } };
  contributes: {
    commands: Entry[];
    menus: Record<string, Entry[]>;
    views: Record<string, { id: string }[]>;
    viewsContainers: { activitybar: { icon: string }[] };
    viewsWelcome: { view: string; contents: string }[];
    walkthroughs: { steps: Step[] }[];
    configuration: { properties: Record<string, { scope: string }> };
  };
};
const { contributes, capabilities } = manifest;
const commands = NAMES.map((name) => `${PREFIX}${name}`);
const views = Object.values(contributes.views).flatMap((all) => all.map(({ id }) => id));
const steps = contributes.walkthroughs.flatMap((walkthrough) => walkthrough.steps);

test('the commands of the manifest are those of the extension', () => {
  assert.deepEqual(contributes.commands.map(({ command }) => command).sort(), commands.sort());
});

test('menus, welcome and walkthrough name commands and views that there are', () => {
  for (const { command, when } of Object.values(contributes.menus).flat()) {
    assert.ok(commands.includes(command), command);
    const view = /view == (\S+)/.exec(when ?? '')?.[1];
    assert.ok(view === undefined || views.includes(view), when);
  }
  const texts = [
    ...contributes.viewsWelcome.map(({ contents }) => contents),
    ...steps.map(({ description }) => description),
  ];
  for (const [, command] of texts.flatMap((text) => [...text.matchAll(/\(command:([^)]+)\)/g)])) {
    assert.ok(command !== undefined && commands.includes(command), command);
  }
  for (const event of steps.flatMap(({ completionEvents }) => completionEvents)) {
    const [kind, of = ''] = event.split(':');
    assert.ok((kind === 'onCommand' ? commands : views).includes(of), event);
  }
});

test('what only a line of the tree can mean is not in the palette', () => {
  const hidden = contributes.menus.commandPalette?.filter(({ when }) => when === 'false');
  for (const name of ['runItem', 'fixFinding', 'dismissFinding', 'undoChange', 'keepChange']) {
    assert.ok(
      hidden?.some(({ command }) => command === `${PREFIX}${name}`),
      name,
    );
  }
});

test('pictures and pages are there', () => {
  const media = steps.map(({ media }) => media.markdown ?? media.svg ?? '');
  for (const file of [...media, ...contributes.viewsContainers.activitybar.map((c) => c.icon)]) {
    assert.ok(existsSync(file), file);
  }
});

test('an untrusted workspace cannot name the program', () => {
  assert.equal(capabilities.untrustedWorkspaces.supported, 'limited');
  const [setting] = capabilities.untrustedWorkspaces.restrictedConfigurations;
  assert.equal(setting, 'orchestrator.server.path');
  assert.equal(contributes.configuration.properties[setting]?.scope, 'machine-overridable');
});
