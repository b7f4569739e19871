import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UpdateTarget } from '#gen/ota/console/v1/types_pb.ts';
import { consolePeer } from '../support/console-peer.ts';
import { runOta } from '../support/run-ota.ts';

const cookies = JSON.stringify({ sid: 's3cr3t-v4lue' });
const release = ['--version', '2.0', '--url', 'http://10.0.0.9/2.0/'];

const main = {
  ecuId: 'main',
  isKnown: true,
  total: { files: 100n, bytes: 1_000_000n },
  copy: { files: 80n, bytes: 700_000n },
  link: { files: 10n, bytes: 100_000n },
  download: { files: 10n, bytes: 200_000n },
  duration: { seconds: 95n, nanos: 500_000_000 },
  neededBytes: 1_200_000n,
  availableBytes: 5_000_000n,
};
const moving = 'E213: the vehicle is in no state for it: the vehicle stands still';

test('the plan of a vehicle tells work, time, room and refusals of each ECU', async (t) => {
  const asked: UpdateTarget[] = [];
  const peer = await consolePeer(t, {
    planUpdate: ({ targets }) => {
      asked.push(...targets);
      return {
        plans: [
          main,
          { ...main, ecuId: 'camera', availableBytes: 1000n },
          { ...main, ecuId: 'lidar', refusals: ['E320: quarantined\u001b[2J'] },
          { ecuId: 'old', unknownReason: 'it speaks only OtaClientV2' },
        ],
      };
    },
  });
  const args = ['plan', '--ecu', 'main', '--ecu', 'camera', ...release, '--console', peer.url];
  const { code, stdout, stderr } = await runOta(t, args, { env: { OTA_COOKIES: cookies } });
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    [
      'ECU     UPDATE        DOWNLOAD          TIME    COPY    LINK    NEEDS      HAS',
      'main    fits            200 kB  1 min 36 s  700 kB  100 kB  1.20 MB  5.00 MB',
      'camera  does not fit    200 kB  1 min 36 s  700 kB  100 kB  1.20 MB  1.00 kB',
      'lidar   would refuse    200 kB  1 min 36 s  700 kB  100 kB  1.20 MB  5.00 MB',
      '    E320: quarantined\ufffd[2J',
      'old     not known            -           -       -       -        -        -',
      '    it speaks only OtaClientV2',
      '',
      'together: download 600 kB, 1 min 36 s until the last reboot; of 1 ECU nothing is known',
      '',
    ]
      .join('\n')
      .replace('          TIME', '        TIME'),
  );
  assert.equal(code, 1);
  assert.deepEqual(
    asked.map(({ ecuId, version, url, cookies: sent }) => [ecuId, version, url, sent]),
    ['main', 'camera'].map((id) => [id, '2.0', 'http://10.0.0.9/2.0/', cookies]),
  );
});

test('--all plans for the ECUs of campaigns; --json has every key; codes are those of update', async (t) => {
  let refusals: string[] = [];
  const peer = await consolePeer(t, {
    getVehicle: () => ({ vehicle: { campaignEcuIds: ['main'] } }),
    planUpdate: ({ targets }) => ({ plans: targets.map(({ ecuId }) => ({ ...main, ecuId, refusals })) }),
  });
  const args = ['plan', '--all', ...release, '--json', '--console', peer.url];
  const good = await runOta(t, args);
  assert.equal(good.code, 0, good.stderr);
  assert.deepEqual(JSON.parse(good.stdout), {
    type: 'vehicle_plan',
    ecus: [
      {
        ecu_id: 'main',
        known: true,
        fits: true,
        refusals: [],
        unknown_reason: null,
        total: { files: 100, bytes: 1_000_000 },
        copy: { files: 80, bytes: 700_000 },
        link: { files: 10, bytes: 100_000 },
        download: { files: 10, bytes: 200_000 },
        duration_ms: 95_500,
        needed_bytes: 1_200_000,
        available_bytes: 5_000_000,
      },
    ],
  });
  refusals = [moving];
  assert.equal((await runOta(t, args)).code, 6);
  refusals = [moving, 'E201: busy: updating'];
  assert.equal((await runOta(t, args)).code, 1);
});

test('options of one use of plan are refused in the other, with 2', async (t) => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await runOta(t, ['plan', ...args]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.match(await wrong('--all', ...release, '--files'), /--files is of this ECU only/);
  assert.match(await wrong('--ecu', 'a', ...release, '--active', '/'), /--active is of this ECU only/);
  assert.match(
    await wrong('--url', 'http://x/', '--version', '1'),
    /--version needs --ecu, --all or --request/,
  );
  assert.match(await wrong('--url', 'http://x/', '--console', 'http://x'), /--console needs --ecu/);
  assert.match(await wrong('--ecu', 'a', '--url', 'http://x/'), /--version is missing/);
});
