import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineOf, pairs, report } from '../src/changes';

const receipt = { receipt: 3, item: 'T1.1', files: ['src/a b/ü#?.rs', 'x.rs'], summary: '' };

test('a change has a document before and after for each file, with encoded parts', () => {
  assert.deepEqual(pairs('m 1', receipt)[0], {
    file: 'src/a b/ü#?.rs',
    before: 'orchestrator:/m%201/change/3/before/src/a%20b/%C3%BC%23%3F.rs',
    after: 'orchestrator:/m%201/change/3/after/src/a%20b/%C3%BC%23%3F.rs',
  });
  assert.deepEqual(
    pairs('m', receipt, 'x.rs').map(({ file }) => file),
    ['x.rs'],
  );
  assert.equal(report('m 1'), 'orchestrator:/m%201/report.md');
});

test('an item is found at its own line', () => {
  const plan = [
    '# Mission: T1.1: x',
    '## M1: y',
    '### T1.10: a',
    '### T1.1: b | depends:T1.10',
    '- [x] S1.1.1: c',
    'T1.2: no item',
  ].join('\n');
  assert.equal(lineOf(plan, 'M1'), 1);
  assert.equal(lineOf(plan, 'T1.1'), 3);
  assert.equal(lineOf(plan, 'S1.1.1'), 4);
  assert.equal(lineOf(plan, 'T1.2'), 0);
});
