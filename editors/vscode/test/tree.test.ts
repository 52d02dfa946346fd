import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Node, tree } from '../src/tree';
import { mission } from './missions';

/** The tree as lines: indented, with what stands beside each label. */
function lines(nodes: Node[], depth = 0): string[] {
  return nodes.flatMap((node) => [
    `${'  '.repeat(depth)}${node.label} | ${node.description ?? ''} | ${node.icon ?? ''}`,
    ...lines(node.children ?? [], depth + 1),
  ]);
}

function all(nodes: Node[]): Node[] {
  return nodes.flatMap((node) => [node, ...all(node.children ?? [])]);
}

function at(nodes: Node[], id: string): Node {
  const found = all(nodes).find((node) => node.id === id);
  assert.ok(found, `${id} is not in the tree`);
  return found;
}

test('a mission shows its plan, sessions, open findings, changes and cost', () => {
  assert.deepEqual(lines(tree([mission()])), [
    'Fold case | working 1/3 | sync~spin',
    '  Which order? | worker asks | question',
    '  The library | M1 | sync',
    '    Count | T1.1 | sync',
    '      takes a Case | S1.1.1 | pass',
    '      has a test | S1.1.2 | circle-large-outline',
    '    Sort | T1.2 | circle-large-outline',
    '      ties | S1.2.1 | circle-large-outline',
    '  Sessions | 1 | organization',
    '    worker T1.1 | at the gate, 1 turn | person',
    '  Findings | 1 | bug',
    '    expected 2 arguments | gate · src/main.rs:7 | error',
    '  Changes | 2 | diff-multiple',
    '    #1 T1.1 | 2 files | verified',
    '      src/count.rs |  | diff',
    '      src/main.rs |  | diff',
    '    #2 T1.2 | taken back | discard',
    '      README.md |  | diff',
    '  Cost | 12 requests, 48.2k tokens, $0.0310 | credit-card',
    '    worker | 12 requests, 48.2k tokens, $0.0310 | person',
  ]);
});

test('a mission that has nothing yet shows what it cost, and no empty groups', () => {
  const bare = mission({
    plan: null,
    progress: [0, 0],
    state: 'triage',
    findings: [],
    receipts: [],
    sessions: [],
    questions: [],
    roles: {},
  });
  assert.deepEqual(lines(tree([bare])).slice(1), [
    '  Cost | 12 requests, 48.2k tokens, $0.0310 | credit-card',
  ]);
});

test('open missions stand before ended ones, and only the first is unfolded', () => {
  const ended = mission({
    id: 'new',
    started_at: 9,
    state: 'cancelled',
    end: { end: 'cancelled' },
  });
  const nodes = tree([ended, mission({ id: 'old', started_at: 1 })]);
  assert.deepEqual(
    nodes.map(({ id, expanded }) => [id, expanded]),
    [
      ['old', true],
      ['new', false],
    ],
  );
});

test('each line has an id of its own', () => {
  const ids = all(tree([mission(), mission({ id: 'm-2' })])).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test('a line offers what can be done with it, and nothing else', () => {
  const nodes = tree([mission()]);
  const context = (id: string): string | undefined => at(nodes, `m-1${id}`).context;
  assert.equal(context(''), 'mission pause cancel');
  assert.equal(context('/S1.1.1'), 'item');
  assert.equal(context('/S1.1.2'), 'item run');
  assert.equal(context('/T1.1'), 'item run');
  assert.equal(context('/receipt/1'), 'receipt stands');
  assert.equal(context('/receipt/2'), 'receipt');
  assert.equal(context('/finding/1'), 'finding');
});

for (const [state, end, wanted] of [
  ['paused', null, 'mission resume cancel'],
  ['planned', null, 'mission resume cancel'],
  ['blocked', { end: 'blocked', needs: 'a key' }, 'mission resume'],
  ['sealed', { end: 'sealed', hash: 'abc' }, 'mission'],
] as const) {
  test(`a mission that is ${state} offers: ${wanted}`, () => {
    assert.equal(at(tree([mission({ state, end })]), 'm-1').context, wanted);
  });
}

test('commands are told what their line stands for', () => {
  const nodes = tree([mission()]);
  assert.deepEqual(at(nodes, 'm-1/finding/1').target, {
    mission: 'm-1',
    finding: 1,
    item: 'T1.1',
    file: 'src/main.rs',
    line: 7,
  });
  assert.deepEqual(at(nodes, 'm-1/receipt/1/src/main.rs').target, {
    mission: 'm-1',
    receipt: 1,
    file: 'src/main.rs',
  });
  assert.deepEqual(at(nodes, 'm-1/S1.1.2').target, { mission: 'm-1', item: 'S1.1.2' });
});

test('why a mission needs a person stands beside its goal', () => {
  const blocked = mission({ state: 'blocked', end: { end: 'blocked', needs: 'a decision' } });
  assert.equal(at(tree([blocked]), 'm-1').tooltip, 'Fold case\n\nIt needs: a decision');
});
