import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { BrokenEcu } from '#ecu/broken-ecu.ts';

test('a broken ECU shows why, and refuses everything with it', async () => {
  const ecu = new BrokenEcu(
    'main',
    '0.1.0',
    new OtaFailure('configuration_invalid', 'ecu_info.yml:3: ecu_id'),
  );
  assert.equal(ecu.status().status, 'FAILURE');
  assert.match(ecu.status().failure?.reason ?? '', /^E316: .*ecu_info.yml:3/);
  for (const answer of [ecu.update(), ecu.clientUpdate(), await ecu.rollback(), await ecu.abort()]) {
    assert.equal(answer.result, 'UNRECOVERABLE');
    assert.match(answer.message, /^E316: /);
  }
});
