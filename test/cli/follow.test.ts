import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Follow } from '#cli/follow.ts';
import type { EcuStatus } from '#domain/status.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

const old = ecuStatus('a');
const updating = ecuStatus('a', { progress: updateProgress() });
const wanted = ecuStatus('a', { firmwareVersion: '2.0' });
const failed = ecuStatus('a', {
  status: 'FAILURE',
  failure: { type: 'RECOVERABLE', reason: 'E100: no network', traceback: '' },
});

function follow(version: string | undefined, before: readonly EcuStatus[] = [old]): Follow {
  return new Follow([{ ecuId: 'a', version }], before, 0);
}

/** Shows one snapshot each second and answers whether the job had ended after each. */
function watch(job: Follow, snapshots: readonly (EcuStatus | undefined)[]): boolean[] {
  return snapshots.map((snapshot, index) => {
    job.observe(snapshot === undefined ? [] : [snapshot], index * 1000);
    return job.open.length === 0;
  });
}

test('an old snapshot after the request is no end; the wanted version is', () => {
  const job = follow('2.0');
  assert.deepEqual(watch(job, [old, old, updating, undefined, updating, wanted]), [
    false,
    false,
    false,
    false,
    false,
    true,
  ]);
  assert.equal(job.ends[0]?.ok, true);
  assert.equal(job.ends[0]?.message, 'runs 2.0');
});

test('a failure that is seen only once, around a restart, is no end', () => {
  const job = follow('2.0');
  assert.deepEqual(watch(job, [updating, failed, updating, wanted]), [false, false, false, true]);
  assert.equal(job.ends[0]?.ok, true);
});

test('a failure that stays is an end, with its reason', () => {
  const job = follow('2.0');
  assert.deepEqual(watch(job, [updating, failed, failed]), [false, false, true]);
  assert.equal(job.ends[0]?.ok, false);
  assert.equal(job.ends[0]?.message, 'FAILURE: E100: no network');
});

test('success with another version than the wanted one is a failure', () => {
  const job = follow('2.0');
  watch(job, [updating, old, old]);
  assert.equal(job.ends[0]?.ok, false);
  assert.equal(job.ends[0]?.message, 'SUCCESS, but it runs 1.0, not 2.0');
});

test('a rollback is done with whatever version is booted', () => {
  const job = follow(undefined, [wanted]);
  assert.deepEqual(watch(job, [wanted, old]), [false, true]);
  assert.equal(job.ends[0]?.ok, true);
});

test('a job that ended between two polls with the very status of before is taken as ended after a while', () => {
  const again = follow('2.0', [wanted]);
  const ends = watch(
    again,
    Array.from({ length: 17 }, () => wanted),
  );
  assert.equal(ends.indexOf(true), 15);
  assert.equal(again.ends[0]?.ok, true);
  const failedAgain = follow('2.0', [failed]);
  assert.equal(
    watch(
      failedAgain,
      Array.from({ length: 18 }, () => failed),
    ).indexOf(true),
    16,
  );
  assert.equal(failedAgain.ends[0]?.ok, false);
});

test('a release without a version is told as such', () => {
  const job = follow(undefined, [wanted]);
  watch(job, [ecuStatus('a', { firmwareVersion: '' })]);
  assert.equal(job.ends[0]?.message, 'runs a release without a version');
});

test('an ECU that never comes back stays open', () => {
  const job = follow('2.0');
  watch(job, [updating, ...Array.from({ length: 100 }, () => undefined)]);
  assert.deepEqual(job.open, ['a']);
});
