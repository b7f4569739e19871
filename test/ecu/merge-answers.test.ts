import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChildEcuError } from '#ecu/child-ecu-error.ts';
import type { EcuAnswer } from '#ecu/ecu.ts';
import { type ChildOutcome, joinAnswers, mergeAnswers } from '#ecu/merge-answers.ts';
import type { Route } from '#ecu/route.ts';

const ok = (ecuId: string): EcuAnswer => ({ ecuId, result: 'NO_FAILURE', message: '' });
const answered = (...ids: string[]): ChildOutcome => ({ answers: ids.map(ok) });
const dead = (id: string): ChildOutcome => ({ error: new ChildEcuError(id, 'unavailable') });

function route(named: string[], through: Record<string, string[]>, sought: string[] = []): Route {
  return {
    named,
    includesOwn: named.includes('main'),
    through: new Map(Object.entries(through)),
    sought: new Set(sought),
  };
}

function merged(how: Route, children: Record<string, ChildOutcome>, answerForUnknown = true): string[] {
  const own = how.includesOwn ? ok('main') : undefined;
  const answers = mergeAnswers(how, { own, children: new Map(Object.entries(children)) }, answerForUnknown);
  return answers.map(({ ecuId, result }) => `${ecuId} ${result}`);
}

describe('merged answers', () => {
  it('have one entry per named ECU, in the order of the request', () => {
    const how = route(['g1', 'main', 'c2', 'c1'], { c1: ['g1', 'c1'], c2: ['c2'] });
    assert.deepEqual(merged(how, { c1: answered('c1', 'g1', 'c1', 'extra'), c2: answered('c2') }), [
      'g1 NO_FAILURE',
      'main NO_FAILURE',
      'c2 NO_FAILURE',
      'c1 NO_FAILURE',
    ]);
  });

  it('have an entry for a mute child, and none for what lies below it', () => {
    const how = route(['main', 'c1', 'g1'], { c1: ['c1', 'g1'] });
    assert.deepEqual(merged(how, { c1: dead('c1') }), ['main NO_FAILURE', 'c1 RECOVERABLE']);
  });

  it('have an entry for a mute child that was not named, when it led to one that was', () => {
    const how = route(['g1'], { c1: ['g1'] });
    assert.deepEqual(merged(how, { c1: dead('c1') }), ['c1 RECOVERABLE']);
  });

  it('say so when a child answers without an entry for what was asked of it', () => {
    const how = route(['c1', 'g1'], { c1: ['c1', 'g1'] });
    assert.deepEqual(merged(how, { c1: answered('c1') }), ['c1 NO_FAILURE', 'g1 RECOVERABLE']);
  });

  it('take the acceptance of whichever child knows an ECU that nobody had reported', () => {
    const how = route(['g1'], { c1: [], c2: [], c3: [] }, ['g1']);
    const refused: ChildOutcome = { answers: [{ ecuId: 'g1', result: 'RECOVERABLE', message: 'unknown' }] };
    assert.deepEqual(merged(how, { c1: refused, c2: answered('g1'), c3: dead('c3') }), ['g1 NO_FAILURE']);
  });

  it('leave an unreported ECU to the mute child that it may lie below', () => {
    const how = route(['g1'], { c1: [], c2: [] }, ['g1']);
    assert.deepEqual(merged(how, { c1: answered(), c2: dead('c2') }), ['c2 RECOVERABLE']);
    assert.deepEqual(merged(how, { c1: answered(), c2: answered() }), ['g1 RECOVERABLE']);
  });

  it('have an entry for an unknown ECU, unless the caller answers for it', () => {
    const how = route(['main', 'nosuch'], {});
    assert.deepEqual(merged(how, {}), ['main NO_FAILURE', 'nosuch RECOVERABLE']);
    assert.deepEqual(merged(how, {}, false), ['main NO_FAILURE']);
  });
});

it('answers to a request for all are each taken once, with an entry for a mute child', () => {
  const answers = joinAnswers({
    own: ok('main'),
    children: new Map([
      ['c1', answered('c1', 'g1', 'c1')],
      ['c2', dead('c2')],
    ]),
  });
  assert.deepEqual(
    answers.map(({ ecuId, result }) => `${ecuId} ${result}`),
    ['main NO_FAILURE', 'c1 NO_FAILURE', 'g1 NO_FAILURE', 'c2 RECOVERABLE'],
  );
});
