import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeFailure } from '#domain/trial-end.ts';
import type { Probe } from '#update/health/probe.ts';
import type { HealthWindow } from '#update/health/window.ts';
import { watchHealth } from '#update/health/window.ts';

const never = new AbortController().signal;
const failure: ProbeFailure = {
  how: 'ended with exit code 1',
  output: 'first\nsecond\nthird\nport \u001b[2Jclosed',
};

/** A probe that passes or fails as it is told, by the number of the asking. */
function probe(name: string, fails: (asked: number) => boolean) {
  const probe = {
    name,
    kind: 'command',
    target: 'check it',
    asked: 0,
    ask: () => {
      probe.asked += 1;
      return Promise.resolve(fails(probe.asked) ? failure : undefined);
    },
  };
  return probe;
}

function windowOf(probes: readonly Probe[], options: Partial<HealthWindow['options']>) {
  const said: string[] = [];
  const window: HealthWindow = {
    probes,
    options: { holdMs: 0, intervalMs: 5, startTimeoutMs: 0, ...options },
    onPassed: async () => {
      said.push('passed');
    },
    tell: (line) => said.push(line),
  };
  return { window, said };
}

test('without time to hold, each probe passes once and nothing else is waited for', async () => {
  const probes = [probe('a', () => false), probe('b', () => false)];
  const { window, said } = windowOf(probes, {});
  await watchHealth(window, never);
  assert.deepEqual([probes.map(({ asked }) => asked), said], [[1, 1], []]);
});

test('no probes pass', async () => {
  await watchHealth(windowOf([], {}).window, never);
});

test('without a start timeout the first failure counts, and tells what the probe said last', async () => {
  const probes = [probe('a', () => false), probe('web', () => true), probe('c', () => false)];
  await assert.rejects(watchHealth(windowOf(probes, {}).window, never), {
    code: 'health_check_failed',
    detail: 'check web ended with exit code 1, and wrote: third / port  / [2Jclosed',
    end: {
      cause: 'probe_failed',
      detail: 'check web ended with exit code 1, and wrote: third / port  / [2Jclosed',
      probe: { name: 'web', kind: 'command', target: 'check it', ...failure },
    },
  });
  assert.equal(probes[2]?.asked, 0, 'the round ends with it');
});

test('until the start timeout is over a probe may fail', async () => {
  const web = probe('web', (asked) => asked < 4);
  const { window, said } = windowOf([web], { startTimeoutMs: 5000 });
  await watchHealth(window, never);
  assert.equal(web.asked, 4);
  assert.match(said[0] ?? '', /^check web ended with exit code 1; it may for another \d/);
});

test('a probe that never passes ends it when the start timeout is over, and not before', async () => {
  const web = probe('web', () => true);
  const began = performance.now();
  await assert.rejects(watchHealth(windowOf([web], { startTimeoutMs: 100 }).window, never), /check web/);
  assert.ok(performance.now() - began >= 99);
  assert.ok(web.asked > 2);
});

test('all probes are asked again and again for the time to hold', async () => {
  const probes = [probe('a', () => false), probe('b', () => false)];
  const { window, said } = windowOf(probes, { holdMs: 120, intervalMs: 20 });
  const began = performance.now();
  await watchHealth(window, never);
  assert.ok(performance.now() - began >= 119);
  for (const { asked } of probes) assert.ok(asked >= 4 && asked <= 8, `asked ${asked} times`);
  assert.equal(said[0], 'passed', 'once, before they have to hold');
  assert.equal(said.length, 2);
});

test('the first failure after they have passed once counts, start timeout or not', async () => {
  const web = probe('web', (asked) => asked === 3);
  const { window } = windowOf([web], { holdMs: 5000, startTimeoutMs: 5000 });
  await assert.rejects(watchHealth(window, never), /check web ended .*; it had passed for 0\.\d s/);
  assert.equal(web.asked, 3);
});

test('a probe is asked at the very end of the time to hold, however long the interval', async () => {
  const web = probe('web', (asked) => asked > 1);
  const { window } = windowOf([web], { holdMs: 30, intervalMs: 60_000 });
  await assert.rejects(watchHealth(window, never), /check web/);
});

test('an abort ends it at once', async () => {
  const controller = new AbortController();
  const { window } = windowOf([probe('a', () => false)], { holdMs: 60_000, intervalMs: 60_000 });
  const watching = watchHealth(window, controller.signal);
  controller.abort();
  await assert.rejects(watching, { name: 'AbortError' });
});
