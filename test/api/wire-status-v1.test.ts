import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { statusFromV1, statusToV1, withV1Detail } from '#api/wire-status-v1.ts';
import { statusFromV2, statusToV2 } from '#api/wire-status-v2.ts';
import { progressPhases } from '#domain/phase.ts';
import { StatusResponseEcuSchema } from '#gen/otaclient_v2_pb.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

const progress = updateProgress({
  phase: 'APPLYING_UPDATE',
  step: 'REGULAR',
  totalFiles: 10,
  totalBytes: 1000,
  copy: { files: 5, bytes: 500, elapsedMs: 2500 },
  link: { files: 2, bytes: 100, elapsedMs: 10 },
  download: { files: 1, bytes: 40, elapsedMs: 1500 },
  wireBytes: 35,
  downloadErrors: 4,
  elapsedMs: 9000,
});

describe('first-generation status', () => {
  it('tells copied, linked and downloaded files apart', () => {
    const wire = statusToV1(ecuStatus('a', { progress })).status;
    assert.equal(wire?.status, 3);
    assert.equal(wire?.version, '1.0');
    const { progress: counts } = wire ?? {};
    assert.equal(counts?.phase, progressPhases.indexOf('REGULAR'));
    assert.deepEqual(
      [counts?.filesProcessedCopy, counts?.filesProcessedLink, counts?.filesProcessedDownload],
      [5n, 2n, 1n],
    );
    assert.deepEqual(
      [counts?.fileSizeProcessedCopy, counts?.fileSizeProcessedLink, counts?.fileSizeProcessedDownload],
      [500n, 100n, 40n],
    );
    assert.equal(counts?.regularFilesProcessed, 8n);
    assert.equal(counts?.totalRegularFiles, 10n);
    assert.equal(counts?.totalRegularFileSize, 1000n);
    assert.equal(counts?.downloadBytes, 35n);
    assert.equal(counts?.errorsDownload, 4n);
    assert.equal(counts?.elapsedTimeCopy?.nanos, 500_000_000);
    assert.equal(counts?.totalElapsedTime?.seconds, 9n);
  });

  it('carries the failure', () => {
    const failure = { type: 'RECOVERABLE', reason: 'E100: x', traceback: 't' } as const;
    const wire = statusToV1(ecuStatus('a', { status: 'FAILURE', failure }));
    assert.deepEqual([wire.result, wire.status?.failure, wire.status?.failureReason], [0, 1, 'E100: x']);
  });

  it('comes back with the same counts and with the phase that needs the network alike', () => {
    const back = statusFromV1(statusToV1(ecuStatus('a', { progress }))).progress;
    assert.deepEqual(
      [back?.copy, back?.link, back?.download],
      [progress.copy, progress.link, progress.download],
    );
    assert.equal(back?.phase, 'DOWNLOADING_OTA_FILES');
    assert.equal(back?.elapsedMs, 9000);
  });

  it('of a peer may lack its inner part', () => {
    const back = statusFromV1(create(StatusResponseEcuSchema, { ecuId: 'old' }));
    assert.deepEqual([back.status, back.firmwareVersion], ['INITIALIZED', '']);
  });
});

describe('the same status in both generations', () => {
  const status = ecuStatus('a', { progress });
  const second = statusFromV2(statusToV2(status));

  it('takes the split of the work from the first', () => {
    const both = withV1Detail(second, statusToV1(status));
    assert.deepEqual(both, status);
  });

  it('keeps what the second says when the first is empty', () => {
    assert.deepEqual(
      withV1Detail(second, create(StatusResponseEcuSchema, { status: { progress: {} } })),
      second,
    );
  });
});
