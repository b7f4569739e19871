import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import type { StatusResponseEcuV2Schema } from '#gen/otaclient_v2_pb.ts';
import { FailureType, StatusOta, StatusProgressPhase, UpdatePhase } from '#gen/otaclient_v2_pb.ts';
import { runOta, startOta } from '../support/run-ota.ts';
import { notReady, scriptedPeer } from '../support/scripted-peer.ts';

type EcuInit = MessageInitShape<typeof StatusResponseEcuV2Schema>;

const updateStatus = {
  updateFirmwareVersion: '2.0',
  phase: UpdatePhase.DOWNLOADING_OTA_FILES,
  totalFilesNum: 100n,
  totalFilesSizeUncompressed: 1_000_000n,
  updateStartTimestamp: 1_700_000_000n,
  totalDownloadFilesNum: 20n,
  totalDownloadFilesSize: 200_000n,
  downloadedFilesNum: 10n,
  downloadedFilesSize: 100_000n,
  downloadedBytes: 40_000n,
  downloadingErrors: 2n,
  processedFilesNum: 60n,
  processedFilesSize: 500_000n,
  totalElapsedTime: { seconds: 10n },
  downloadingElapsedTime: { seconds: 4n },
};
const updating: EcuInit = {
  ecuId: 'main',
  firmwareVersion: '1.0',
  otaclientVersion: '3.14.0',
  otaStatus: StatusOta.UPDATING,
  updateStatus,
};
const failed: EcuInit = {
  ecuId: 'camera',
  firmwareVersion: '1.0',
  otaStatus: StatusOta.FAILURE,
  failureType: FailureType.UNRECOVERABLE,
  failureReason: 'E307: standby slot is too small',
};

test('status shows each ECU, its progress, its failure and what to do', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({ availableEcuIds: ['main', 'camera', 'radar'], ecuV2: [failed, updating] }),
  });
  const { code, stdout, stderr } = await runOta(t, ['status', '--host', peer.address]);
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    [
      'ECU     VERSION     STATUS         PHASE        PROGRESS                            RATE',
      'main    1.0 -> 2.0  UPDATING       downloading  [##########------------]  49%  50.0 kB/s',
      '    100 files (1.00 MB), copy 50 (400 kB), link 0 (0 B), download 10 of 20 (100 kB of 200 kB), ' +
        'received 40.0 kB at 10.0 kB/s, 10 s so far',
      '    2 failed download attempts (retried)',
      'camera  1.0         FAILURE',
      '    UNRECOVERABLE E307: standby slot is too small',
      '    What to do: use a smaller image or a larger slot.',
      'radar   -           no report yet',
      '',
    ].join('\n'),
  );
  assert.equal(code, 0);
});

test('a peer that fills only the first generation is shown all the same', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({
      availableEcuIds: ['old'],
      ecu: [
        {
          ecuId: 'old',
          status: {
            status: StatusOta.UPDATING,
            version: '0.9',
            progress: {
              phase: StatusProgressPhase.REGULAR,
              totalRegularFiles: 10n,
              totalRegularFileSize: 1000n,
              filesProcessedCopy: 3n,
              fileSizeProcessedCopy: 300n,
              filesProcessedLink: 1n,
              fileSizeProcessedLink: 100n,
              filesProcessedDownload: 1n,
              fileSizeProcessedDownload: 100n,
            },
          },
        },
      ],
    }),
  });
  const { code, stdout } = await runOta(t, ['status', '--host', peer.address]);
  assert.equal(code, 0);
  assert.match(stdout, /^old +0\.9 +UPDATING +downloading +\[#+-+\] +49%$/m);
  assert.match(stdout, /copy 3 \(300 B\), link 1 \(100 B\), download 1 \(100 B\)/);
});

test('--json is one object with every key there, null where nothing is known', async (t) => {
  const peer = await scriptedPeer(t, {
    status: () => ({ availableEcuIds: ['main', 'radar'], ecuV2: [updating, failed] }),
  });
  const { code, stdout } = await runOta(t, ['status', '--json', '--host', peer.address]);
  assert.equal(code, 0);
  const object: unknown = JSON.parse(stdout);
  assert.ok(typeof object === 'object' && object !== null && 'time' in object);
  assert.match(String(object.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const nothing = {
    parent_ecu_id: null,
    slot: null,
    bootloader: null,
    release: null,
    failure: null,
    progress: null,
    waiting_for: [],
    health_probes: [],
  };
  assert.deepEqual(
    { ...object, time: 'now' },
    {
      type: 'status',
      host: peer.address,
      time: 'now',
      reachable: true,
      error: null,
      available_ecu_ids: ['main', 'radar'],
      ecus: [
        {
          ...nothing,
          ecu_id: 'main',
          presence: 'reported',
          status: 'UPDATING',
          firmware_version: '1.0',
          otaclient_version: '3.14.0',
          progress: {
            target_version: '2.0',
            started_at: '2023-11-14T22:13:20.000Z',
            phase: 'DOWNLOADING_OTA_FILES',
            step: 'REGULAR',
            percent: 49,
            total_files: 100,
            total_bytes: 1_000_000,
            copy: { files: 50, bytes: 400_000, elapsed_ms: 0 },
            link: { files: 0, bytes: 0, elapsed_ms: 0 },
            download: { files: 10, bytes: 100_000, elapsed_ms: 4000 },
            files_to_download: 20,
            bytes_to_download: 200_000,
            wire_bytes: 40_000,
            download_errors: 2,
            files_to_remove: 0,
            files_removed: 0,
            elapsed_ms: 10_000,
            bytes_per_second: 50_000,
            wire_bytes_per_second: 10_000,
            remaining_ms: null,
          },
        },
        {
          ...nothing,
          ecu_id: 'radar',
          presence: 'unseen',
          status: null,
          firmware_version: null,
          otaclient_version: null,
        },
        {
          ...nothing,
          ecu_id: 'camera',
          presence: 'reported',
          status: 'FAILURE',
          firmware_version: '1.0',
          otaclient_version: '',
          failure: { type: 'UNRECOVERABLE', reason: 'E307: standby slot is too small', traceback: '' },
        },
      ],
    },
  );
});

test('where no daemon answers, status says so and ends with 3', async (t) => {
  const peer = await scriptedPeer(t, { status: () => notReady });
  peer.stop();
  const text = await runOta(t, ['status', '--host', peer.address], {
    env: { http_proxy: 'http://127.0.0.1:1' },
  });
  assert.deepEqual(text, {
    code: 3,
    stdout: '',
    stderr: `ota status: no OTA daemon answers at ${peer.address}; is it running? (ota serve)\n`,
  });
  const json = await runOta(t, ['status', '--json', '--host', peer.address]);
  assert.equal(json.code, 3);
  const object: unknown = JSON.parse(json.stdout);
  assert.ok(typeof object === 'object' && object !== null && 'reachable' in object && 'error' in object);
  assert.equal(object.reachable, false);
  assert.match(String(object.error), /no OTA daemon answers/);
  assert.doesNotMatch(String(object.error), /within/, 'it does not wait for a deadline');
});

test('a daemon that has just started, one that has no Status and one that fails are told apart', async (t) => {
  const starting = await scriptedPeer(t, { status: () => notReady });
  const first = await runOta(t, ['status', '--host', starting.address]);
  assert.equal(first.code, 3);
  assert.match(first.stderr, /is still starting: own status not yet known/);
  const other = await scriptedPeer(t, { abort: () => ({}) });
  const second = await runOta(t, ['status', '--host', other.address]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /does not support Status/);
  const broken = await scriptedPeer(t, {
    status: () => ({ code: status.INTERNAL, details: 'bang\u001b[2J' }),
  });
  const third = await runOta(t, ['status', '--host', broken.address]);
  assert.equal(third.code, 1);
  assert.match(third.stderr, /Status failed at .*: INTERNAL: bang \[2J\n$/);
});

test('--watch tells changes as lines, outlives a restart of the daemon, and ends with 130 on Ctrl-C', async (t) => {
  const before = await scriptedPeer(t, { status: () => ({ availableEcuIds: ['main'], ecuV2: [updating] }) });
  const watch = startOta(t, ['status', '--watch', '--interval', '0.2', '--host', before.address]);
  await watch.waitFor(/Z main UPDATING 1\.0 -> 2\.0 downloading 49% 100 files/);
  before.stop();
  await watch.waitFor(/reconnecting \.\.\. no OTA daemon answers/);
  const done = { ecuId: 'main', firmwareVersion: '2.0', otaStatus: StatusOta.SUCCESS };
  await scriptedPeer(t, { status: () => ({ availableEcuIds: ['main'], ecuV2: [done] }) }, before.port);
  await watch.waitFor(/Z main SUCCESS 2\.0\n/);
  watch.child.kill('SIGINT');
  const { code, stdout, stderr } = await watch.end;
  assert.equal(code, 130);
  assert.equal(stderr, '');
  assert.equal(stdout.match(/UPDATING/g)?.length, 1, 'what does not change is told once');
  assert.ok(!stdout.includes('\u001b'), 'no escape sequences in a pipe');
});

test('--watch --json is one object per line and change', async (t) => {
  let files = 60n;
  let asked = 0;
  const askedOften = Promise.withResolvers<void>();
  const peer = await scriptedPeer(t, {
    status: () => {
      asked += 1;
      if (asked === 4) askedOften.resolve();
      return { ecuV2: [{ ...updating, updateStatus: { ...updateStatus, processedFilesNum: files } }] };
    },
  });
  const watch = startOta(t, ['status', '--watch', '--json', '--interval', '0.2', '--host', peer.address]);
  await askedOften.promise;
  files = 61n;
  await watch.waitFor(/"copy":\{"files":51/);
  peer.stop();
  await watch.waitFor(/"reachable":false/);
  watch.child.kill('SIGTERM');
  const { code, stdout } = await watch.end;
  assert.equal(code, 143);
  const objects = stdout
    .trimEnd()
    .split('\n')
    .map((line): { time: string } => JSON.parse(line));
  const contents = objects.map((object) => JSON.stringify({ ...object, time: '' }));
  const repeated = contents.filter((content, index) => content === contents[index - 1]);
  assert.deepEqual(repeated, [], 'only changes are told');
});

test('a reader that leaves ends --watch quietly', async (t) => {
  let files = 0n;
  const peer = await scriptedPeer(t, {
    status: () => {
      files += 1n;
      return {
        ecuV2: [{ ...updating, updateStatus: { ...updateStatus, processedFilesNum: files } }],
      };
    },
  });
  const watch = startOta(t, ['status', '--watch', '--json', '--interval', '0.2', '--host', peer.address]);
  await watch.waitFor(/\n/);
  watch.child.stdout.destroy();
  const { code, stderr } = await watch.end;
  assert.equal(code, 141);
  assert.equal(stderr, '');
});

test('a wrong call is told, with 2', async (t) => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runOta(t, ['status', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    return stderr;
  };
  assert.match(await wrong('--host', 'a b'), /"a b" is no HOST\[:PORT\]/);
  assert.match(await wrong('--host', 'h:99999'), /port must be a number from 1 to 65535/);
  assert.match(await wrong('--wach'), /Unknown option '--wach'/);
  assert.match(await wrong('--watch', '--interval', 'soon'), /--interval "soon": a number of seconds/);
  assert.match(await wrong('main'), /"main" is not expected here\nTry: ota status --help/);
});
