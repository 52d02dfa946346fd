import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastWords, type Mark, markOf, standing } from '../src/mission';
import { Missions } from '../src/missions';
import { mission } from './missions';

function mark(...marks: Mark[]): Mark {
  return markOf(marks.map((mark, at) => ({ id: String(at), title: '', mark })));
}

test('a task stands where its steps do', () => {
  assert.equal(mark('done', 'done'), 'done');
  assert.equal(mark('done', 'pending'), 'active');
  assert.equal(mark('active', 'pending'), 'active');
  assert.equal(mark('pending', 'pending'), 'pending');
  assert.equal(mark('done', 'failed'), 'failed');
  assert.equal(mark(), 'pending');
});

test('how a mission stands: its state, and its steps once there are some', () => {
  assert.equal(standing(mission()), 'working 1/3');
  assert.equal(standing(mission({ state: 'triage', progress: [0, 0] })), 'triage');
});

test('the last words of a session are those of its own task', () => {
  const [worker] = mission().sessions;
  assert.ok(worker);
  assert.equal(lastWords(mission(), worker)?.text, 'refused: <b>');
  const planner = { id: 2, role: 'planner', item: null, turns: 0, activity: 'thinking' };
  assert.equal(lastWords(mission(), planner), undefined);
  const line = { at: 4, role: 'planner', item: null, kind: 'step', text: 'reads count.rs' };
  assert.equal(lastWords(mission({ story: [line] }), planner)?.text, 'reads count.rs');
});

test('an older view never replaces a newer one, and each change is told', () => {
  const missions = new Missions();
  const told: string[] = [];
  missions.onChange(() => {
    told.push(missions.all().map(standing).join());
  });
  missions.update(mission({ now: 2, state: 'judging' }));
  missions.update(mission({ now: 1, state: 'planning' }));
  missions.clear();
  assert.deepEqual(told, ['judging 1/3', 'judging 1/3', '']);
});
