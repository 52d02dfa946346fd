import assert from 'node:assert/strict';
import { test } from 'node:test';
import { body, escape, page } from '../src/agents';
import { mission } from './missions';

test('each agent at work has its role, item, engine, state, figures and last words', () => {
  const html = body([mission()]);
  for (const wanted of [
    '<strong>worker T1.1</strong>',
    'at the gate',
    'replay · 1 turn · 1,000 tokens · $0.0015',
    'working 1/3 · 1 min 5 s · 12 requests, 48.2k tokens, $0.0310',
    '<progress value="1" max="3">',
  ]) {
    assert.ok(html.includes(wanted), `${wanted} is not in ${html}`);
  }
});

test('what a model wrote stays text', () => {
  const html = body([mission({ goal: '<img src=x onerror="alert(1)">' })]);
  assert.ok(!html.includes('<img') && html.includes('&#60;img'), html);
  assert.ok(html.includes('refused: &#60;b&#62;'), html);
  assert.equal(escape(`&<>"'`), '&#38;&#60;&#62;&#34;&#39;');
});

test('without agents the panel says how the newest mission stands, or how to begin', () => {
  const ended = mission({ sessions: [], state: 'sealed', end: { end: 'sealed', hash: 'ab' } });
  assert.ok(body([ended]).includes('Fold case: sealed 1/3, 12 requests'));
  assert.ok(body([]).includes('Start a mission with /task.'));
});

test('the page loads nothing and runs one script', () => {
  const html = page('abc');
  assert.ok(
    html.includes("default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'"),
    html,
  );
  assert.equal(html.match(/<script/g)?.length, 1);
  assert.doesNotMatch(html, /https?:|unsafe/);
});
