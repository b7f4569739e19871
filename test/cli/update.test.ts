import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { StatusResponseEcuV2Schema, UpdateRequest } from '#gen/otaclient_v2_pb.ts';
import { FailureType, StatusOta } from '#gen/otaclient_v2_pb.ts';
import { runOta, startOta } from '../support/run-ota.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { acceptingPeer, scriptedPeer } from '../support/scripted-peer.ts';

type EcuInit = MessageInitShape<typeof StatusResponseEcuV2Schema>;

const release = ['--version', '2.0', '--url', 'http://10.0.0.9/2.0/'];
const secret = 's3cr3t-v4lue';
const cookies = JSON.stringify({ CloudFrontPolicy: secret });

const ecu = (ecuId: string, otaStatus: StatusOta, firmwareVersion = '1.0'): EcuInit => ({
  ecuId,
  otaStatus,
  firmwareVersion,
});

test('update sends one entry per ECU and tells one line per answer; all accepted is 0', async (t) => {
  const { peer, requests } = await acceptingPeer(t);
  const args = ['update', '--ecu', 'main', '--ecu', 'camera', ...release, '--host', peer.address];
  const { code, stdout, stderr } = await runOta(t, args);
  assert.deepEqual([code, stderr, stdout], [0, '', 'main    accepted\ncamera  accepted\n']);
  const [request] = requests;
  assert.match(request?.requestId ?? '', /^cli-[0-9a-f-]{36}$/);
  assert.deepEqual(
    request?.ecu.map(({ ecuId, version, url, cookies: sent }) => [ecuId, version, url, sent]),
    [
      ['main', '2.0', 'http://10.0.0.9/2.0/', ''],
      ['camera', '2.0', 'http://10.0.0.9/2.0/', ''],
    ],
  );
});

test('a refusal is told with its reason and ends with 1, as does an ECU that is not answered for', async (t) => {
  const peer = await scriptedPeer(t, {
    update: () => ({
      ecu: [
        { ecuId: 'main' },
        { ecuId: 'camera', result: FailureType.RECOVERABLE, message: 'E201: busy: it updates' },
      ],
    }),
  });
  const args = [
    'update',
    '--ecu',
    'main',
    '--ecu',
    'camera',
    '--ecu',
    'radar',
    ...release,
    '--host',
    peer.address,
  ];
  const text = await runOta(t, args);
  assert.equal(text.code, 1);
  assert.equal(
    text.stdout,
    [
      'main    accepted',
      'camera  refused   RECOVERABLE E201: busy: it updates',
      'radar   refused   RECOVERABLE the daemon did not answer for this ECU; it may not know it',
      '',
    ].join('\n'),
  );
  const json = await runOta(t, [...args, '--json']);
  assert.equal(json.code, 1);
  const object: unknown = JSON.parse(json.stdout);
  assert.ok(typeof object === 'object' && object !== null && 'request_id' in object);
  assert.deepEqual(
    { ...object, request_id: '' },
    {
      type: 'answers',
      request: 'update',
      host: peer.address,
      request_id: '',
      ecus: [
        { ecu_id: 'main', accepted: true, result: 'NO_FAILURE', message: '', cause: null },
        {
          ecu_id: 'camera',
          accepted: false,
          result: 'RECOVERABLE',
          message: 'E201: busy: it updates',
          cause: 'refused',
        },
        {
          ecu_id: 'radar',
          accepted: false,
          result: 'RECOVERABLE',
          message: 'the daemon did not answer for this ECU; it may not know it',
          cause: 'refused',
        },
      ],
    },
  );
});

test('--force is sent with every entry, and only when it is given', async (t) => {
  const { peer, requests } = await acceptingPeer(t);
  const args = ['update', '--host', peer.address, ...release];
  await runOta(t, [...args, '--ecu', 'main']);
  await runOta(t, [...args, '--ecu', 'main', '--force']);
  await runOta(t, [...args, '--all', '--force']);
  assert.deepEqual(
    requests.map(({ ecu: entries }) => entries.map(({ force }) => force)),
    [[false], [true], [true, true]],
  );
});

test('--all asks the ECUs of the campaign', async (t) => {
  const { peer, requests } = await acceptingPeer(t);
  const { code } = await runOta(t, ['update', '--all', ...release, '--host', peer.address]);
  assert.equal(code, 0);
  assert.deepEqual(
    requests[0]?.ecu.map(({ ecuId }) => ecuId),
    ['main', 'camera'],
  );
});

test('cookies come from a file, stdin or the environment, and are told nowhere', async (t) => {
  const { peer, requests } = await acceptingPeer(t);
  const file = join(await scratchDirectory(t), 'cookies.json');
  await writeFile(file, `${cookies}\n`);
  const args = ['update', '--ecu', 'main', ...release, '--host', peer.address];
  const runs = [
    await runOta(t, [...args, '--cookies-file', file]),
    await runOta(t, [...args, '--cookies-file', '-'], { stdin: cookies }),
    await runOta(t, args, { env: { OTA_COOKIES: cookies } }),
  ];
  assert.deepEqual(
    requests.map((request) => request.ecu[0]?.cookies),
    [cookies, cookies, cookies],
  );
  for (const { stdout, stderr } of runs) assert.ok(!`${stdout}${stderr}`.includes(secret));
});

test('broken cookies are refused without quoting them', async (t) => {
  const args = ['update', '--ecu', 'main', ...release, '--cookies-file', '-'];
  for (const stdin of [`{"a": "${secret}`, `["${secret}"]`, `{"a": {"b": "${secret}"}}`, secret]) {
    const { code, stdout, stderr } = await runOta(t, args, { stdin });
    assert.equal(code, 2);
    assert.match(stderr, /cookies in stdin: expected a JSON object of text values/);
    assert.ok(!`${stdout}${stderr}`.includes(secret));
  }
});

test('what is missing or excludes each other is told before any daemon is asked, with 2', async (t) => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await runOta(t, ['update', '--host', '127.0.0.1:1', ...args]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  assert.match(await wrong(...release), /name the ECUs with --ecu, or use --all/);
  assert.match(await wrong(...release, '--all', '--ecu', 'main'), /--all and --ecu exclude each other/);
  assert.match(await wrong('--ecu', 'main', '--url', 'http://h/'), /--version is missing/);
  assert.match(
    await wrong('--ecu', 'main', '--version', '1', '--url', 'ftp://h/'),
    /"ftp:\/\/h\/" is no http/,
  );
  assert.match(
    await wrong('--request', 'x.yaml', '--version', '1'),
    /--request and --version exclude each other/,
  );
  assert.match(await wrong('--request', '/nowhere.yaml'), /\/nowhere\.yaml: cannot be read: ENOENT/);
  assert.match(await wrong('--ecu', 'main', ...release, '--timeout', '5'), /--timeout needs --wait/);
  assert.match(await wrong('--ecu', 'main', ...release, '--cookies', '{}'), /Unknown option '--cookies'/);
});

test('where no daemon answers, update ends with 3', async (t) => {
  const { peer } = await acceptingPeer(t);
  peer.stop();
  for (const who of [['--ecu', 'main'], ['--all']]) {
    const { code, stdout, stderr } = await runOta(t, ['update', ...who, ...release, '--host', peer.address]);
    assert.deepEqual([code, stdout], [3, '']);
    assert.match(stderr, /^ota update: no OTA daemon answers at /);
  }
});

test('--wait follows the jobs through a restart of the daemon to the wanted version: 0', async (t) => {
  let status: EcuInit = ecu('main', StatusOta.SUCCESS);
  const script = {
    update: (request: UpdateRequest) => ({ ecu: request.ecu.map(({ ecuId }) => ({ ecuId })) }),
    status: () => ({ availableEcuIds: ['main'], ecuV2: [status] }),
  };
  const peer = await scriptedPeer(t, script);
  const args = ['update', '--ecu', 'main', ...release, '--wait', '--host', peer.address];
  const run = startOta(t, args);
  await run.waitFor(/main SUCCESS 1\.0\n/);
  status = ecu('main', StatusOta.UPDATING);
  await run.waitFor(/main UPDATING 1\.0/);
  peer.stop();
  await run.waitFor(/reconnecting \.\.\./);
  status = ecu('main', StatusOta.SUCCESS, '2.0');
  await scriptedPeer(t, script, peer.port);
  const { code, stdout } = await run.end;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^main {2}accepted\n/);
  assert.match(stdout, /\nmain {2}done {2}runs 2\.0\n$/);
});

test('--wait ends with 4 when an ECU fails, with its reason; --json tells answers, changes and the result', async (t) => {
  let asked = 0;
  const peer = await scriptedPeer(t, {
    update: () => ({ ecu: [{ ecuId: 'main' }, { ecuId: 'camera' }] }),
    status: () => {
      asked += 1;
      const camera: EcuInit =
        asked < 3
          ? ecu('camera', StatusOta.UPDATING)
          : {
              ...ecu('camera', StatusOta.FAILURE),
              failureType: FailureType.RECOVERABLE,
              failureReason: 'E100: no route to the image server',
            };
      const main = ecu('main', asked < 3 ? StatusOta.UPDATING : StatusOta.SUCCESS, asked < 3 ? '1.0' : '2.0');
      return { ecuV2: [main, camera] };
    },
  });
  const args = [
    'update',
    '--ecu',
    'main',
    '--ecu',
    'camera',
    ...release,
    '--wait',
    '--json',
    '--host',
    peer.address,
  ];
  const { code, stdout } = await runOta(t, args);
  assert.equal(code, 4);
  const objects = stdout
    .trimEnd()
    .split('\n')
    .map((line): { type: string; ecus: unknown; exit_code?: number } => JSON.parse(line));
  assert.equal(objects[0]?.type, 'answers');
  assert.ok(objects.slice(1, -1).every(({ type }) => type === 'status') && objects.length > 3);
  assert.deepEqual([objects.at(-1)?.type, objects.at(-1)?.exit_code], ['result', 4]);
  assert.deepEqual(objects.at(-1)?.ecus, [
    {
      ecu_id: 'main',
      outcome: 'succeeded',
      status: 'SUCCESS',
      firmware_version: '2.0',
      message: 'runs 2.0',
      cause: null,
    },
    {
      ecu_id: 'camera',
      outcome: 'failed',
      status: 'FAILURE',
      firmware_version: '1.0',
      message: 'FAILURE: E100: no route to the image server',
      cause: 'failed',
    },
  ]);
});

test('--wait ends with 5 when the time is up', async (t) => {
  const peer = await scriptedPeer(t, {
    update: () => ({ ecu: [{ ecuId: 'main' }] }),
    status: () => ({ ecuV2: [ecu('main', StatusOta.UPDATING)] }),
  });
  const args = ['update', '--ecu', 'main', ...release, '--wait', '--timeout', '1.5', '--host', peer.address];
  const { code, stdout } = await runOta(t, args);
  assert.equal(code, 5);
  assert.match(stdout, /\nmain {2}open {2}had not ended when the time was up\n$/);
});

test('Ctrl-C while waiting ends with 130 and leaves the update alone', async (t) => {
  let aborts = 0;
  const peer = await scriptedPeer(t, {
    update: () => ({ ecu: [{ ecuId: 'main' }] }),
    status: () => ({ ecuV2: [ecu('main', StatusOta.UPDATING)] }),
    abort: () => {
      aborts += 1;
      return {};
    },
  });
  const run = startOta(t, ['update', '--ecu', 'main', ...release, '--wait', '--host', peer.address]);
  await run.waitFor(/UPDATING/);
  run.child.kill('SIGINT');
  const { code, stderr } = await run.end;
  assert.equal(code, 130);
  assert.match(stderr, /^ota update: no longer waiting; the update goes on: .*ota abort stops it\n$/);
  assert.equal(aborts, 0);
});
