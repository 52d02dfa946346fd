import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gather, ofServer } from '../src/settings';

const ALL = ['orchestrator.server.path', 'orchestrator.limits.calls', 'orchestrator.roles'];

test('the settings of the extension itself are not the server’s', () => {
  assert.deepEqual(ofServer([...ALL, 'editor.tabSize']), ALL.slice(1));
});

test('only what is set is sent, in the shape of the configuration file', () => {
  const set: Record<string, unknown> = {
    'orchestrator.limits.calls': 0,
    'orchestrator.roles': { worker: { model: 'm' } },
  };
  const settings = ['orchestrator.limits.calls', 'orchestrator.limits.turns', 'orchestrator.roles'];
  assert.deepEqual(
    gather(settings, (setting) => set[setting]),
    { limits: { calls: 0 }, roles: { worker: { model: 'm' } } },
  );
  assert.equal(
    gather(settings, () => undefined),
    undefined,
  );
});
