import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from '#config/options.ts';

const parse = (text: string) => parseOptions(`preconditions:\n${text}`, 'ota.yml', {});

test('there are no conditions by default, and each has defaults that block', () => {
  assert.deepEqual(parseOptions(undefined, '', {}).options.preconditions.start, []);
  const { options, problem } = parse('  start: [{ name: parked, when: not Vehicle.IsMoving }]');
  assert.equal(problem, undefined);
  assert.deepEqual(options.preconditions.start, [
    { name: 'parked', when: 'not Vehicle.IsMoving', maxAgeMs: 10_000, missing: 'block' },
  ]);
  assert.equal(options.preconditions.startWaitMs, 0);
});

test('every mistake in a condition is named with its place and what to write', () => {
  for (const [text, message] of [
    ['{ when: Vehicle.A }', /ota\.yml:3: preconditions\.start\[0\]\.name is missing; write a name/],
    [
      '{ name: a, when: Vehicle.Speed < }',
      /ota\.yml:3: preconditions\.start\[0\]\.when is "Vehicle\.Speed <"; correct the condition: at character 16: a signal/,
    ],
    ['{ name: a, when: 5 }', /\.when is 5; write a condition such as/],
    [
      '{ name: a, when: Vehicle.A, max_age: 5 }',
      /preconditions\.start\[0\] is a mapping; take out max_age: there are/,
    ],
    ['{ name: a, when: Vehicle.A, missing: no }', /\.missing is "no"; write block or allow/],
    ['{ name: a, when: Vehicle.A, max_age_ms: 0 }', /\.max_age_ms is 0; write a whole number from 1/],
    ['parked', /preconditions\.start\[0\] is "parked"; write a list of at most 32 conditions/],
  ] as const) {
    const { problem, options } = parse(`  start:\n    - ${text}`);
    assert.match(problem?.message ?? '', message, text);
    assert.deepEqual(options.preconditions.start, []);
  }
  const twice = parse('  reboot: [{ name: a, when: Vehicle.A }, { name: a, when: Vehicle.B }]');
  assert.match(
    twice.problem?.message ?? '',
    /preconditions\.reboot\[1\]\.name is "a"; .*different from the others/,
  );
});
