import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SlotWords } from '#boot/judge.ts';
import { judgeBoot } from '#boot/judge.ts';
import type { FailureReport } from '#domain/status.ts';

const report: FailureReport = { type: 'RECOVERABLE', reason: 'E211: check', traceback: '' };
const nothing: SlotWords = { status: undefined, slotInUse: '', failure: undefined };
const says = (status: SlotWords['status'], slotInUse: string, failure?: FailureReport): SlotWords => ({
  status,
  slotInUse,
  failure,
});

test('no or an unknown status is INITIALIZED', () => {
  assert.deepEqual(judgeBoot('slot_a', nothing, nothing), {
    kind: 'ordinary',
    status: 'INITIALIZED',
    failure: undefined,
  });
});

test('SUCCESS and ABORTED stay, whatever slot_in_use says, and carry no stale failure', () => {
  for (const status of ['SUCCESS', 'ABORTED'] as const) {
    assert.deepEqual(judgeBoot('slot_a', says(status, 'slot_b', report), says('FAILURE', 'slot_b')), {
      kind: 'ordinary',
      status,
      failure: undefined,
    });
  }
});

test('UPDATING in the expected slot is the first boot of an update', () => {
  assert.deepEqual(judgeBoot('slot_b', says('UPDATING', 'slot_b'), says('FAILURE', 'slot_b')), {
    kind: 'first_boot',
    of: 'update',
  });
});

test('a missing slot_in_use counts as the running slot', () => {
  assert.deepEqual(judgeBoot('slot_b', says('UPDATING', ''), nothing), { kind: 'first_boot', of: 'update' });
});

test('ROLLBACKING in the expected slot is the first boot of a rollback', () => {
  assert.deepEqual(judgeBoot('slot_a', says('ROLLBACKING', 'slot_a'), says('ROLLBACK_FAILURE', 'slot_a')), {
    kind: 'first_boot',
    of: 'rollback',
  });
});

test('UPDATING or ROLLBACKING in a slot that was not expected fell back', () => {
  assert.deepEqual(judgeBoot('slot_a', says('UPDATING', 'slot_b'), nothing), {
    kind: 'fell_back',
    of: 'update',
    failure: undefined,
  });
  assert.deepEqual(judgeBoot('slot_a', says('ROLLBACKING', 'slot_b'), nothing), {
    kind: 'fell_back',
    of: 'rollback',
    failure: undefined,
  });
});

test('the old slot after a switch that was not confirmed fell back, with the report of the slot that gave up', () => {
  assert.deepEqual(judgeBoot('slot_a', says('FAILURE', 'slot_b'), says('UPDATING', 'slot_b')), {
    kind: 'fell_back',
    of: 'update',
    failure: undefined,
  });
  assert.deepEqual(
    judgeBoot('slot_b', says('ROLLBACK_FAILURE', 'slot_a', report), says('ROLLBACKING', 'slot_a')),
    { kind: 'fell_back', of: 'rollback', failure: report },
  );
});

test('power lost after prepare leaves an ordinary FAILURE without a report', () => {
  assert.deepEqual(judgeBoot('slot_a', says('FAILURE', 'slot_b'), nothing), {
    kind: 'ordinary',
    status: 'FAILURE',
    failure: undefined,
  });
});

test('a recorded failure keeps its report', () => {
  for (const status of ['FAILURE', 'ROLLBACK_FAILURE'] as const) {
    assert.deepEqual(judgeBoot('slot_a', says(status, 'slot_b', report), says('FAILURE', 'slot_b')), {
      kind: 'ordinary',
      status,
      failure: report,
    });
  }
});
