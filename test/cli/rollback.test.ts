import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailureType, StatusOta } from '#gen/otaclient_v2_pb.ts';
import { runOta } from '../support/run-ota.ts';
import { scriptedPeer } from '../support/scripted-peer.ts';

test('rollback names its ECUs, waits for a good boot of the old release, and ends with 0', async (t) => {
  const named: string[] = [];
  let asked = 0;
  const peer = await scriptedPeer(t, {
    rollback: ({ ecu }) => {
      named.push(...ecu.map(({ ecuId }) => ecuId));
      return { ecu: ecu.map(({ ecuId }) => ({ ecuId })) };
    },
    status: () => {
      asked += 1;
      const states = [
        { otaStatus: StatusOta.SUCCESS, firmwareVersion: '2.0' },
        { otaStatus: StatusOta.ROLLBACKING, firmwareVersion: '2.0' },
      ];
      return {
        ecuV2: [
          {
            ecuId: 'main',
            ...(states[asked - 1] ?? { otaStatus: StatusOta.SUCCESS, firmwareVersion: '1.0' }),
          },
        ],
      };
    },
  });
  const { code, stdout } = await runOta(t, ['rollback', '--ecu', 'main', '--wait', '--host', peer.address]);
  assert.equal(code, 0, stdout);
  assert.deepEqual(named, ['main']);
  assert.match(stdout, /\nmain {2}done {2}runs 1\.0\n$/);
});

test('a refused rollback ends with 1, one without names with 2, one of a dead daemon with 3', async (t) => {
  const peer = await scriptedPeer(t, {
    rollback: () => ({
      ecu: [{ ecuId: 'main', result: FailureType.RECOVERABLE, message: 'E202: no previous release' }],
    }),
  });
  const args = ['rollback', 'main', '--host', peer.address];
  const refused = await runOta(t, args);
  assert.deepEqual(
    [refused.code, refused.stdout],
    [1, 'main  refused  RECOVERABLE E202: no previous release\n'],
  );
  assert.equal((await runOta(t, ['rollback', '--host', peer.address])).code, 2);
  peer.stop();
  assert.equal((await runOta(t, args)).code, 3);
});
