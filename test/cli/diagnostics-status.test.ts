import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { SignalSchema } from '#gen/ota/console/v1/types_pb.ts';
import { consolePeer } from '../support/console-peer.ts';
import { freePort } from '../support/free-port.ts';
import { runOta, startOta } from '../support/run-ota.ts';

const diagnostics = {
  enabled: true,
  sources: [
    { name: 'update', state: 'connected', signals: 25, samples: 1234n },
    { name: 'kuksa 10.0.0.2:55555', state: 'failed', problem: 'connection refused\u001b[2J', samples: 0n },
  ],
  campaigns: [
    { id: 'ota', state: 'active', samples: 2n ** 60n, triggered: 3n },
    { id: 'trip', state: 'active', dropped: 7n, problem: 'trip.yml:3: wrong is not known here' },
  ],
  lanes: [
    { priority: 'critical', segments: 1, bytes: 2048n },
    { priority: 'normal', segments: 12, bytes: 1_500_000n },
  ],
  droppedSamples: 5n,
  uploadedSegments: 4n,
  uploadedBytes: 65_000n,
  uploadFailures: 1n,
  uploadWaitingFor: 'no answer: connect ECONNREFUSED',
  oldestSegmentAgeMs: 60_000n,
  collectedSegments: 3,
  collectedBytes: 4096n,
};

test('diagnostics are shown with what is wrong below each line', async (t) => {
  const peer = await consolePeer(t, { getDiagnostics: () => ({ diagnostics }) });
  const shown = await runOta(t, ['diagnostics', 'status', '--console', peer.url]);
  assert.deepEqual(shown, {
    code: 0,
    stderr: '',
    stdout: [
      'SOURCE                STATE      SIGNALS  VALUES',
      'update                connected       25   1,234',
      'kuksa 10.0.0.2:55555  failed           0       0',
      '  connection refused\ufffd[2J',
      '',
      'CAMPAIGN  STATE                        KEPT  DROPPED  TRIGGERED',
      'ota       active  1,152,921,504,606,847,000        0          3',
      'trip      active                          0        7          0',
      '  trip.yml:3: wrong is not known here',
      '',
      'SPOOL     SEGMENTS     SIZE',
      'critical         1  2.05 kB',
      'normal          12  1.50 MB',
      '',
      'Uploaded: 4 segments, 65.0 kB; failures: 1',
      'Of children: 3 segments, 4.10 kB to be uploaded',
      'Waiting:  no answer: connect ECONNREFUSED',
      'Lost:     5 values not stored, 0 segments removed to make room, 0 put aside',
      '',
    ].join('\n'),
  });
  const json = await runOta(t, ['diagnostics', 'status', '--json', '--console', peer.url]);
  const told = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.equal(told['oldest_segment_age_ms'], 60_000);
  assert.equal(told['collected_segments'], 3);
  assert.deepEqual(told['campaigns'], [
    { id: 'ota', state: 'active', problem: '', samples: String(2n ** 60n), dropped: 0, triggered: 3 },
    {
      id: 'trip',
      state: 'active',
      problem: 'trip.yml:3: wrong is not known here',
      samples: 0,
      dropped: 7,
      triggered: 0,
    },
  ]);
  assert.equal(told['uploaded_bytes'], 65_000);
});

test('diagnostics that are switched off, or a console that is away, are told', async (t) => {
  const peer = await consolePeer(t, {
    getDiagnostics: () => ({ diagnostics: { enabled: false } }),
    listSignals: () => {
      throw new ConnectError('diagnostics are switched off', Code.FailedPrecondition);
    },
  });
  const off = await runOta(t, ['diagnostics', 'status', '--console', peer.url]);
  assert.match(off.stdout, /switched off/);
  const tail = await runOta(t, ['diagnostics', 'tail', '--console', peer.url]);
  assert.equal(tail.code, 1);
  assert.match(tail.stderr, /switched off/);
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const away = await runOta(t, ['diagnostics', 'status', '--console', nobody]);
  assert.equal(away.code, 3);
  assert.match(away.stderr, /^ota diagnostics status: /);
});

const time = timestampFromMs(Date.UTC(2026, 0, 15, 12, 31, 7, 120));
const given: readonly MessageInitShape<typeof SignalSchema>[] = [
  {
    path: 'Vehicle.Speed',
    datatype: 'float',
    unit: 'km/h',
    time,
    value: { value: { case: 'number', value: 12.5 } },
  },
  { path: 'Vehicle.SpeedLimit', datatype: 'float', time, value: { value: { case: 'number', value: NaN } } },
  { path: 'Vehicle.Big', datatype: 'uint64', value: { value: { case: 'unsigned', value: 2n ** 64n - 1n } } },
  {
    path: 'Vehicle.Codes',
    datatype: 'string[]',
    value: { value: { case: 'texts', value: { values: ['P1', '\u0007'] } } },
  },
  { path: 'Vehicle.None', datatype: 'string' },
];
const signals = given.map((signal) => create(SignalSchema, signal));

test('the latest values are shown once, of all signals or of a branch', async (t) => {
  const asked: string[] = [];
  const peer = await consolePeer(t, {
    listSignals: ({ query, pageToken }) => {
      asked.push(query);
      const first = pageToken === '';
      return { signals: first ? signals.slice(0, 2) : signals.slice(2), nextPageToken: first ? 'more' : '' };
    },
  });
  const all = await runOta(t, ['diagnostics', 'tail', '--once', '--console', peer.url]);
  assert.equal(
    all.stdout,
    [
      '2026-01-15T12:31:07.120Z  Vehicle.Speed  12.5  km/h',
      '2026-01-15T12:31:07.120Z  Vehicle.SpeedLimit  NaN',
      '-  Vehicle.Big  18446744073709551615',
      '-  Vehicle.Codes  ["P1","\\u0007"]',
      '-  Vehicle.None  -',
      '',
    ].join('\n'),
  );
  const one = await runOta(t, [
    'diagnostics',
    'tail',
    'Vehicle.Speed',
    '--once',
    '--json',
    '--console',
    peer.url,
  ]);
  assert.deepEqual(JSON.parse(one.stdout), {
    signal: 'Vehicle.Speed',
    time: '2026-01-15T12:31:07.120Z',
    datatype: 'float',
    unit: 'km/h',
    value: 12.5,
  });
  assert.equal(asked.at(-1), 'Vehicle.Speed');
  const none = await runOta(t, ['diagnostics', 'tail', 'Vehicle.Nothing', '--once', '--console', peer.url]);
  assert.deepEqual([none.code, none.stdout], [1, '']);
  assert.match(none.stderr, /no such signal/);
});

test('changes are shown as they come, until the command is stopped', async (t) => {
  const changes = Promise.withResolvers<void>();
  const peer = await consolePeer(t, {
    listSignals: () => ({ signals: signals.slice(0, 1) }),
    async *watchSignals({ paths, intervalMs }, { signal }) {
      assert.deepEqual([paths, intervalMs], [['Vehicle.Speed'], 100]);
      yield { signals: signals.slice(0, 1) };
      yield { signals: [] };
      await changes.promise;
      yield {
        signals: [
          create(SignalSchema, { path: 'Vehicle.Speed', value: { value: { case: 'number', value: 13 } } }),
        ],
      };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
  const tail = startOta(t, ['diagnostics', 'tail', '--interval', '100', '--console', peer.url]);
  await tail.waitFor(/12\.5/);
  changes.resolve();
  await tail.waitFor(/  13$/m);
  tail.child.kill('SIGINT');
  assert.equal((await tail.end).code, 130);
});

test('a wrong path or interval is told', async (t) => {
  for (const args of [['..'], ['--interval', '10'], ['Vehicle.*']]) {
    const { code, stderr } = await runOta(t, ['diagnostics', 'tail', ...args]);
    assert.equal(code, 2, stderr);
  }
});
