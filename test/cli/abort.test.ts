import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AbortFailureType } from '#gen/otaclient_v2_pb.ts';
import { runOta } from '../support/run-ota.ts';
import { scriptedPeer } from '../support/scripted-peer.ts';

test('abort without names asks for all ECUs; one that was not stopped makes it 1', async (t) => {
  const named: string[][] = [];
  const peer = await scriptedPeer(t, {
    abort: ({ ecu }) => {
      named.push(ecu.map(({ ecuId }) => ecuId));
      return {
        ecu: [
          { ecuId: 'main' },
          { ecuId: 'camera', result: AbortFailureType.ABORT_FAILURE, message: 'nothing to stop' },
        ],
      };
    },
  });
  const all = await runOta(t, ['abort', '--host', peer.address]);
  assert.deepEqual([all.code, all.stdout], [1, 'main    stopped\ncamera  not stopped  nothing to stop\n']);
  await runOta(t, ['abort', '--ecu', 'main', '--host', peer.address]);
  assert.deepEqual(named, [[], ['main']]);
});

test('a daemon that predates abort is told so', async (t) => {
  const peer = await scriptedPeer(t, { status: () => ({}) });
  const { code, stderr } = await runOta(t, ['abort', '--host', peer.address]);
  assert.equal(code, 1);
  assert.match(stderr, /does not support Abort\n$/);
});
