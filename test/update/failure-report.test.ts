import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { reportOf } from '#update/failure-report.ts';

test('a report says what, why and what to do, and the chain of causes with their codes', () => {
  const disk = Object.assign(new Error('write failed'), { code: 'EIO' });
  const failure = new OtaFailure('placing', 'file /a', { cause: new TypeError('odd', { cause: disk }) });
  assert.deepEqual(reportOf(failure), {
    type: 'UNRECOVERABLE',
    reason: failure.reason,
    traceback: 'TypeError: odd\nError [EIO]: write failed',
  });
});

test('a report without a cause has no traceback; anything that was thrown can be one', () => {
  assert.equal(reportOf(new OtaFailure('network', 'why')).traceback, '');
  assert.equal(reportOf(new OtaFailure('network', 'why', { cause: 'text' })).traceback, 'string: text');
});

test('a report stays small, whatever the causes are', () => {
  const loop = new Error('x'.repeat(10_000));
  loop.cause = loop;
  const { reason, traceback } = reportOf(new OtaFailure('network', 'y'.repeat(10_000), { cause: loop }));
  assert.equal(reason.length, 2048);
  assert.equal(traceback.length, 2048);
});
