import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { renderFrame } from '#cli/render-frame.ts';
import type { Style } from '#cli/render-style.ts';
import { plainStyle } from '#cli/render-style.ts';
import { displayWidth } from '#cli/render-text.ts';
import { renderVehicle } from '#cli/render-vehicle.ts';
import type { VehicleState } from '#cli/vehicle-view.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import type { EcuStatus } from '#domain/status.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

const progress = updateProgress({
  phase: 'DOWNLOADING_OTA_FILES',
  totalFiles: 50_123,
  totalBytes: 1_700_000_000,
  copy: { files: 30_000, bytes: 900_000_000, elapsedMs: 8000 },
  link: { files: 1200, bytes: 12_000_000, elapsedMs: 300 },
  download: { files: 500, bytes: 60_000_000, elapsedMs: 5000 },
  filesToDownload: 5000,
  bytesToDownload: 170_000_000,
  wireBytes: 25_000_000,
  downloadErrors: 3,
  elapsedMs: 12_400,
});
const full: EcuStatus = ecuStatus('lidar', {
  status: 'FAILURE',
  failure: {
    type: 'UNRECOVERABLE',
    reason: 'E307: standby slot is too small: 2 GB needed; use a smaller image or a larger slot',
    traceback: '',
  },
});

function state(...ecus: EcuStatus[]): VehicleState {
  return new VehicleView().observe({ availableEcuIds: [...ecus.map((ecu) => ecu.ecuId), 'radar'], ecus }, 0);
}

const vehicle = state(ecuStatus('autoware', { progress }), ecuStatus('前方カメラ'), full);

test('a vehicle in a pipe is plain ASCII lines of any length', () => {
  assert.deepEqual(renderVehicle(vehicle, plainStyle), [
    'ECU         VERSION     STATUS         PHASE        PROGRESS                            RATE',
    'autoware    1.0 -> 2.0  UPDATING       downloading  [############----------]  56%  78.4 MB/s',
    '    50,123 files (1.70 GB), copy 30,000 (900 MB), link 1,200 (12.0 MB), ' +
      'download 500 of 5,000 (60.0 MB of 170 MB), received 25.0 MB at 5.00 MB/s, 12 s so far',
    '    3 failed download attempts (retried)',
    '前方カメラ  1.0         SUCCESS',
    'lidar       1.0         FAILURE',
    '    UNRECOVERABLE E307: standby slot is too small: 2 GB needed; use a smaller image or a larger slot',
    'radar       -           no report yet',
  ]);
});

test('no line is wider than the terminal, at any width', () => {
  const long = ecuStatus('an-ecu-with-a-very-long-name-indeed', {
    firmwareVersion: `release-${'9'.repeat(80)}`,
    progress,
  });
  for (let columns = 20; columns <= 200; columns += 1) {
    for (const style of [true, false].map((unicode): Style => ({ colour: true, unicode, columns }))) {
      for (const line of renderFrame(state(long, full), { host: 'h:1', now: 0 }, style)) {
        const width = displayWidth(stripVTControlCharacters(line));
        assert.ok(width <= columns, `${width} > ${columns}: ${line}`);
      }
    }
  }
});

test('colours change nothing but colours', () => {
  const style = { unicode: true, columns: 100 };
  const coloured = renderVehicle(vehicle, { ...style, colour: true });
  assert.ok(coloured.join('').includes('\u001b[31m'));
  assert.deepEqual(
    coloured.map((line) => stripVTControlCharacters(line)),
    renderVehicle(vehicle, { ...style, colour: false }),
  );
});

test('a first boot does not look like an update that does nothing', () => {
  const none = { files: 0, bytes: 0, elapsedMs: 0 };
  const tried: typeof progress = {
    ...progress,
    phase: 'FINALIZING_UPDATE',
    totalFiles: 0,
    copy: none,
    link: none,
    download: none,
    elapsedMs: 75_000,
  };
  const lines = renderVehicle(state(ecuStatus('a', { status: 'UPDATING', progress: tried })), plainStyle);
  assert.match(lines.join('\n'), /^ +the new release is being tried, 1 min 15 s so far$/m);
});

test('a failure tells what to do, also when the peer did not', () => {
  const shown = (type: 'RECOVERABLE' | 'UNRECOVERABLE', reason: string): string =>
    renderVehicle(
      state(ecuStatus('a', { status: 'FAILURE', failure: { type, reason, traceback: '' } })),
      plainStyle,
    ).join('\n');
  assert.match(
    shown('RECOVERABLE', 'E0204: HTTP 401'),
    /What to do: send a new request with fresh cookies\./,
  );
  assert.match(
    shown('RECOVERABLE', 'something'),
    /RECOVERABLE something\n.*What to do: send the request again\./,
  );
  assert.match(
    renderVehicle(state(ecuStatus('a', { status: 'FAILURE' })), plainStyle).join('\n'),
    /no reason is known/,
  );
  assert.match(shown('UNRECOVERABLE', ''), /no reason given\n.*What to do: mend the cause/);
});

test('what an update waits for is told, and what one would have to wait for', () => {
  const waitingFor = ['parked: Vehicle.Speed is 42, 0.1 s old', 'charged: \u001b[31mno value'];
  const busy = ecuStatus('a', { waitingFor, status: 'UPDATING' });
  const lines = renderVehicle(state(busy, ecuStatus('b', { waitingFor })), plainStyle);
  assert.deepEqual(lines.slice(2, 5), [
    '    waiting for:',
    '    - parked: Vehicle.Speed is 42, 0.1 s old',
    '    - charged: \ufffd[31mno value',
  ]);
  assert.equal(lines[6], '    an update has to wait for:');
});

test('what peers write cannot move the cursor', () => {
  const evil = '\u001b[2Jx\u009bA\n\n';
  const ecus = [
    ecuStatus(`a${evil}`, { firmwareVersion: evil, progress: { ...progress, targetVersion: evil } }),
    ecuStatus('b', { status: 'FAILURE', failure: { type: 'RECOVERABLE', reason: evil, traceback: '' } }),
  ];
  const lines = renderFrame(state(...ecus), { host: 'h', now: 0 }, { ...plainStyle, unicode: true });
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
});

test('a frame says that the daemon is away, and keeps what was seen', () => {
  const view = new VehicleView();
  view.observe({ availableEcuIds: [], ecus: [ecuStatus('a', { progress })] }, 0);
  const lines = renderFrame(view.lose('no OTA daemon answers at h:1'), { host: 'h:1', now: 0 }, plainStyle);
  assert.deepEqual(lines.slice(0, 2), [
    'h:1 00:00:00Z 1 ECU, 1 silent',
    'reconnecting ... no OTA daemon answers at h:1',
  ]);
  assert.ok(lines.some((line) => line.includes('silent, was UPDATING') && line.includes('56%')));
});

test('an empty vehicle says so', () => {
  assert.deepEqual(renderVehicle({ rows: [], availableEcuIds: [], lost: undefined }, plainStyle), [
    'no ECU has reported yet',
  ]);
});

test('health checks of a first boot are counted, and failing ones say what is wrong', () => {
  const healthProbes = [
    { name: 'brakes', kind: 'command', passes: false, output: 'no answer\u001b[31m' },
    { name: 'gateway', kind: 'tcp', passes: true, output: '' },
  ];
  const lines = renderVehicle(state(ecuStatus('a', { status: 'UPDATING', healthProbes })), plainStyle);
  assert.ok(lines.includes('    health checks: 1 of 2 pass'), lines.join('\n'));
  assert.ok(lines.some((line) => line.startsWith('    - brakes: no answer')));
  assert.ok(!lines.some((line) => line.includes('\u001b') || line.includes('gateway')));
});
