import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { Style } from '#cli/render-style.ts';
import { displayWidth } from '#cli/render-text.ts';
import { VehicleView } from '#cli/vehicle-view.ts';
import type { WatchModel } from '#cli/watch/watch-frame.ts';
import { watchFrame } from '#cli/watch/watch-frame.ts';
import { ecuStatus, updateProgress } from '../../support/ecu-status.ts';

const progress = updateProgress({
  phase: 'DOWNLOADING_OTA_FILES',
  totalFiles: 50_123,
  totalBytes: 1_700_000_000,
  copy: { files: 30_000, bytes: 900_000_000, elapsedMs: 8000 },
  downloadErrors: 3,
  elapsedMs: 12_400,
});

const reason = 'E307: standby slot is too small: 2 GB needed; use a smaller image or a larger slot';

const ecus = [
  ecuStatus('main', { progress, waitingFor: ['standing still: Vehicle.Speed is 12.5 km/h'] }),
  ecuStatus('前方カメラ', { parentEcuId: 'main', progress }),
  ecuStatus('lidar', {
    parentEcuId: 'main',
    status: 'FAILURE',
    failure: { type: 'UNRECOVERABLE', reason, traceback: '' },
  }),
  ecuStatus('an-ecu-with-a-very-long-name-indeed', { parentEcuId: 'lidar' }),
  ecuStatus('evil\u001b[2J', { parentEcuId: 'evil\u001b[2J', firmwareVersion: '\u009b1;1H' }),
  ...Array.from({ length: 30 }, (_, index) => ecuStatus(`child-${index}`, { parentEcuId: 'lidar' })),
];

function model(fields: Partial<WatchModel> = {}): WatchModel {
  const view = new VehicleView();
  return {
    host: '127.0.0.1:50051',
    now: 1000,
    state: view.observe({ availableEcuIds: ['main', 'never'], ecus }, 0),
    lostSince: undefined,
    events: Array.from({ length: 20 }, (_, index) => ({
      sequence: BigInt(index),
      at: index,
      kind: 'state',
      ecuId: 'main',
      caller: 'operator:me',
      text: 'SUCCESS to UPDATING\u001b[2J, and so on and so on',
      details: {},
    })),
    eventsProblem: '',
    detail: 'auto',
    onlyActive: false,
    showHelp: false,
    anchor: undefined,
    ...fields,
  };
}

const style = (columns: number): Style => ({ colour: true, unicode: true, columns });

test('a frame is as high as the terminal and never wider, at any size and in any state', () => {
  const view = new VehicleView();
  const states: Partial<WatchModel>[] = [
    {},
    { state: undefined },
    { state: view.observe({ availableEcuIds: [], ecus: [] }, 0) },
    { state: view.lose('no OTA daemon answers at 127.0.0.1:50051; is it running?'), lostSince: 0 },
    { detail: 'full' },
    { detail: 'rows', onlyActive: true },
    { showHelp: true },
    { events: [], eventsProblem: 'no console answers at http://127.0.0.1:8081; is it running?' },
    { anchor: { ecuId: 'child-29', line: 0 } },
  ];
  for (const fields of states) {
    for (const columns of [20, 23, 40, 57, 80, 120, 300]) {
      for (const rows of [1, 3, 6, 15, 16, 24, 60]) {
        const { lines } = watchFrame(model(fields), { columns, rows }, style(columns));
        assert.equal(lines.length, rows, `${columns}x${rows} ${JSON.stringify(Object.keys(fields))}`);
        for (const line of lines) {
          const bare = stripVTControlCharacters(line);
          assert.ok(displayWidth(bare) <= columns, `${columns}: ${bare}`);
          // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
          assert.doesNotMatch(bare, /[\u0000-\u001f\u007f-\u009f]/);
        }
      }
    }
  }
});

test('the place that was scrolled to stays when ECUs above it get more lines', () => {
  const size = { columns: 100, rows: 20 };
  const top = watchFrame(model({ detail: 'rows' }), size, style(100));
  const anchor = top.anchorAt(12);
  const bare = (fields: Partial<WatchModel>): string[] =>
    watchFrame(model({ anchor, ...fields }), size, style(100)).lines.map((line) =>
      stripVTControlCharacters(line),
    );
  const first = (lines: readonly string[]): string | undefined => /child-\d+/.exec(lines[4] ?? '')?.[0];
  const before = first(bare({ detail: 'rows' }));
  assert.match(before ?? '', /child-\d/);
  assert.equal(first(bare({ detail: 'full' })), before);
});

test('details are shown as far as they fit, and failures always', () => {
  const text = (rows: number): string =>
    watchFrame(model(), { columns: 100, rows }, style(100)).lines.map(stripVTControlCharacters).join('\n');
  assert.match(text(80), /▶ download/);
  assert.doesNotMatch(text(30), /▶ download/);
  assert.match(text(30), /UNRECOVERABLE E307/);
});
