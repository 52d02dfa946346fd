import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundledIn, find as findWith } from '../src/program';

const folder = mkdtempSync(join(tmpdir(), 'orchestrator-program-'));
after(() => {
  rmSync(folder, { recursive: true });
});

function program(name: string): string {
  const path = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
  writeFileSync(path, '');
  chmodSync(path, 0o755);
  return path;
}

const find = (environment: NodeJS.ProcessEnv, setting: string): ReturnType<typeof findWith> =>
  findWith(environment, setting, bundledIn(folder));

const onPath = program('orchestrator');
const other = program('other');

test('PATH serves when nothing is named', () => {
  assert.deepEqual(find({ PATH: folder }, ''), { program: onPath });
});

test('the setting wins over PATH, the environment over both', () => {
  assert.deepEqual(find({ PATH: folder }, other), { program: other });
  const environment = { PATH: folder, ORCHESTRATOR_SERVER: onPath };
  assert.deepEqual(find(environment, other), { program: onPath });
});

test('what is bundled wins over PATH, and over nothing else', () => {
  const bundled = program('bundled');
  assert.deepEqual(findWith({ PATH: folder }, '', bundled), { program: bundled });
  assert.deepEqual(findWith({ PATH: folder }, other, bundled), { program: other });
  const environment = { PATH: folder, ORCHESTRATOR_SERVER: onPath };
  assert.deepEqual(findWith(environment, '', bundled), { program: onPath });
  assert.deepEqual(findWith({ PATH: folder }, '', join(folder, 'missing')), { program: onPath });
});

test('a bare name is looked for on PATH', () => {
  assert.deepEqual(find({ PATH: folder }, 'other'), { program: other });
});

test('what is named and missing is a problem that says who named it', () => {
  const missing = join(folder, 'missing');
  const bySetting = find({ PATH: folder }, missing);
  assert.ok('problem' in bySetting && bySetting.problem.includes('orchestrator.server.path'));
  const byVariable = find({ PATH: folder, ORCHESTRATOR_SERVER: missing }, other);
  assert.ok('problem' in byVariable && byVariable.problem.includes('ORCHESTRATOR_SERVER'));
});

test('nowhere to be found says what to do', () => {
  const found = find({ PATH: '' }, '');
  assert.ok('problem' in found && found.problem.includes('Install it'));
});

test('a relative path or a folder is no program', () => {
  assert.ok('problem' in find({ PATH: folder }, './orchestrator'));
  assert.ok('problem' in find({ PATH: folder }, folder));
  assert.ok('problem' in find({ PATH: '.' }, ''));
});
