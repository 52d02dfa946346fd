import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bill, count, duration, money, plural, short } from '../src/words';

test('counts', () => {
  assert.deepEqual([0, 999, 9999, 48_210, 999_949, 999_950, 1_300_000].map(count), [
    '0',
    '999',
    '9,999',
    '48.2k',
    '999.9k',
    '1.0M',
    '1.3M',
  ]);
});

test('money', () => {
  assert.deepEqual([0, 31_000, 12_340_000].map(money), ['', '$0.0310', '$12.34']);
});

test('durations', () => {
  assert.deepEqual([-5, 8_400, 60_000, 185_000, 7_440_000].map(duration), [
    '0 s',
    '8 s',
    '1 min 0 s',
    '3 min 5 s',
    '2 h 4 min',
  ]);
});

test('one of a thing, and several', () => {
  assert.deepEqual(
    [plural(1, 'file'), plural(0, 'file'), plural(2, 'file')],
    ['1 file', '0 files', '2 files'],
  );
});

test('what is unknown of an account counts as nothing', () => {
  assert.equal(bill(undefined), '0 requests, 0 tokens');
  assert.equal(bill({ requests: 1, input: 5 }), '1 request, 5 tokens');
});

test('a long text ends with an ellipsis, and never within a character', () => {
  assert.equal(short('  two\n lines '), 'two lines');
  assert.equal(short('ab🦀d', 4), 'ab🦀d');
  assert.equal(short('ab🦀de', 4), 'ab🦀…');
});
