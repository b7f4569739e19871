import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgressOutlook } from '#ecu/progress-outlook.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

type Fields = Parameters<typeof updateProgress>[0];

function placed(bytes: number, fields: Fields = {}) {
  const copy = { files: 1, bytes, elapsedMs: 0 };
  return ecuStatus('a', {
    progress: updateProgress({ totalBytes: 1000, phase: 'DOWNLOADING_OTA_FILES', copy, ...fields }),
  });
}

describe('the outlook of an update', () => {
  it('never goes back within an update, and is 100 only when the release is committed', () => {
    const outlook = new ProgressOutlook();
    const percents = [
      placed(0),
      placed(600),
      placed(400),
      placed(1000),
      placed(1000, { phase: 'FINALIZING_UPDATE' }),
      // The new release judges itself: counts begin anew.
      ecuStatus('a', {
        progress: updateProgress({ phase: 'FINALIZING_UPDATE', startedAt: 1_700_000_099_000 }),
      }),
      ecuStatus('a', { firmwareVersion: '2.0' }),
      ecuStatus('a', { firmwareVersion: '2.0' }),
    ].map((status, at) => outlook.observe(status, at * 1000)?.percent);
    assert.deepEqual(percents, [0, 59, 59, 99, 99, 99, 100, 100]);
  });

  it('begins anew with another update, also to the same version', () => {
    const outlook = new ProgressOutlook();
    outlook.observe(placed(900), 0);
    const again = placed(100, { phase: 'CALCULATING_DELTA', startedAt: 1_700_000_500_000 });
    assert.equal(outlook.observe(again, 1000)?.percent, 9);
    outlook.observe(placed(900), 2000);
    assert.equal(outlook.observe(placed(100, { targetVersion: '3.0' }), 3000)?.percent, 9);
  });

  it('is none after an update that failed, was aborted, or ended in the old release', () => {
    for (const end of [
      ecuStatus('a', { status: 'FAILURE' }),
      ecuStatus('a', { status: 'ABORTED' }),
      ecuStatus('a', { firmwareVersion: '1.0' }),
    ]) {
      const outlook = new ProgressOutlook();
      outlook.observe(placed(900), 0);
      assert.equal(outlook.observe(end, 1000), undefined);
    }
  });

  it('tells the rate of the last seconds and how long the rest takes at it', () => {
    const outlook = new ProgressOutlook();
    assert.deepEqual(outlook.observe(placed(0), 0)?.bytesPerSecond, 0);
    outlook.observe(placed(100), 1000);
    const { bytesPerSecond, remainingMs } = outlook.observe(placed(200), 2000) ?? {};
    assert.deepEqual([bytesPerSecond, remainingMs], [100, 8000]);
    const stalled = outlook.observe(placed(200), 40_000);
    assert.deepEqual([stalled?.bytesPerSecond, stalled?.remainingMs], [0, undefined]);
  });

  it('tells no time once the files are in place', () => {
    const outlook = new ProgressOutlook();
    outlook.observe(placed(0), 0);
    const { remainingMs } = outlook.observe(placed(1000, { phase: 'PROCESSING_POSTUPDATE' }), 2000) ?? {};
    assert.equal(remainingMs, undefined);
  });
});
