import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EcuRow, VehicleState } from '#cli/vehicle-view.ts';
import { percentOf, VehicleView } from '#cli/vehicle-view.ts';
import type { UpdateProgress } from '#domain/progress.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

const copied = (bytes: number, more: Partial<UpdateProgress> = {}): UpdateProgress =>
  updateProgress({
    phase: 'DOWNLOADING_OTA_FILES',
    totalFiles: 10,
    totalBytes: 1000,
    copy: { files: 1, bytes, elapsedMs: 1 },
    ...more,
  });

function only(state: VehicleState): EcuRow {
  const [row] = state.rows;
  assert.ok(row !== undefined && state.rows.length === 1);
  return row;
}

test('percent counts bytes of all three sources, and is 100 never while the ECU updates', () => {
  assert.equal(percentOf(updateProgress()), 0, 'nothing is known yet');
  const work = { files: 1, bytes: 200, elapsedMs: 1 };
  assert.equal(percentOf(copied(200, { link: work, download: work })), 59);
  assert.equal(percentOf(copied(1000)), 99);
  assert.equal(percentOf(copied(5000)), 99, 'a peer that counts too much');
  assert.equal(percentOf(copied(0, { phase: 'FINALIZING_UPDATE' })), 99, 'a peer that counts no files');
  assert.equal(percentOf(copied(0, { totalBytes: 0 })), 9, 'without sizes files are counted');
});

test('progress never goes back within one update, and starts anew with the next', () => {
  const view = new VehicleView();
  const see = (progress: UpdateProgress, at: number): number | undefined =>
    only(view.observe({ availableEcuIds: [], ecus: [ecuStatus('a', { progress })] }, at)).percent;
  assert.equal(see(copied(500, { elapsedMs: 10_000 }), 0), 49);
  assert.equal(see(copied(300, { elapsedMs: 11_000 }), 1000), 49, 'a stale or smaller report');
  assert.equal(see(copied(600, { elapsedMs: 12_000 }), 2000), 59);
  assert.equal(see(copied(100, { elapsedMs: 100 }), 3000), 9, 'the same release, asked for again');
  assert.equal(see(copied(50, { elapsedMs: 200, targetVersion: '3.0' }), 4000), 4, 'another release');
});

test('rates are those of the last seconds; a single answer gives the mean', () => {
  const view = new VehicleView();
  const see = (bytes: number, wireBytes: number, at: number): EcuRow =>
    only(
      view.observe(
        {
          availableEcuIds: [],
          ecus: [ecuStatus('a', { progress: copied(bytes, { wireBytes, elapsedMs: 10_000 + at }) })],
        },
        at,
      ),
    );
  const first = see(500, 0, 0);
  assert.equal(first.bytesPerSecond, 50);
  assert.equal(first.wireBytesPerSecond, undefined);
  const second = see(700, 400, 1000);
  assert.equal(second.bytesPerSecond, 200);
  assert.equal(second.wireBytesPerSecond, 400);
  see(700, 400, 3000);
  assert.equal(see(700, 400, 9000).bytesPerSecond, 0, 'it stands still');
  assert.equal(see(1000, 400, 20_000).bytesPerSecond, 27.272727272727273, 'over a silence of 11 s');
});

test('an ECU that was seen stays as silent, one that was never seen is told so', () => {
  const view = new VehicleView();
  view.observe({ availableEcuIds: ['main', 'cam'], ecus: [ecuStatus('main'), ecuStatus('extra')] }, 0);
  const state = view.observe({ availableEcuIds: ['main', 'cam'], ecus: [ecuStatus('main')] }, 1000);
  assert.deepEqual(
    state.rows.map((row) => [row.ecuId, row.presence, row.seenAt]),
    [
      ['main', 'reported', 1000],
      ['cam', 'unseen', undefined],
      ['extra', 'silent', 0],
    ],
  );
});

test('while the daemon is away all that was seen stays, as silent', () => {
  const view = new VehicleView();
  view.observe({ availableEcuIds: ['a'], ecus: [ecuStatus('a', { progress: copied(500) })] }, 0);
  const away = view.lose('nobody there');
  assert.equal(away.lost, 'nobody there');
  assert.equal(only(away).presence, 'silent');
  assert.equal(only(away).percent, 49);
  assert.equal(only(away).bytesPerSecond, undefined);
  const back = view.observe({ availableEcuIds: ['a'], ecus: [ecuStatus('a')] }, 5000);
  assert.equal(back.lost, undefined);
  assert.equal(only(back).presence, 'reported');
  assert.equal(only(back).percent, undefined);
});

test('rows come in the order of the configuration, whatever the order of the answers', () => {
  const view = new VehicleView();
  const ecus = [ecuStatus('g1'), ecuStatus('c1'), ecuStatus('main')];
  const state = view.observe({ availableEcuIds: ['main', 'c1', 'g1'], ecus }, 0);
  assert.deepEqual(
    state.rows.map((row) => row.ecuId),
    ['main', 'c1', 'g1'],
  );
});
