import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { statusFromV2, statusToV2 } from '#api/wire-status-v2.ts';
import { StatusResponseEcuV2Schema, StatusResponseSchema } from '#gen/otaclient_v2_pb.ts';
import { ecuStatus, updateProgress } from '../support/ecu-status.ts';

const progress = updateProgress({
  phase: 'APPLYING_UPDATE',
  step: 'REGULAR',
  totalFiles: 10,
  totalBytes: 1000,
  copy: { files: 5, bytes: 500, elapsedMs: 2500 },
  link: { files: 2, bytes: 100, elapsedMs: 10 },
  download: { files: 3, bytes: 400, elapsedMs: 1500 },
  filesToDownload: 3,
  bytesToDownload: 400,
  wireBytes: 350,
  downloadErrors: 1,
  filesToRemove: 7,
  filesRemoved: 6,
  elapsedMs: 65_432,
  deltaMs: 1001,
  downloadingMs: 1500,
  applyingMs: 2500,
});

describe('second-generation status', () => {
  it('is byte for byte what existing daemons send for an ECU at rest', () => {
    const status = ecuStatus('autoware', { firmwareVersion: '1', otaclientVersion: 'x' });
    const answer = create(StatusResponseSchema, {
      availableEcuIds: ['autoware'],
      ecuV2: [statusToV2(status)],
    });
    assert.equal(
      Buffer.from(toBinary(StatusResponseSchema, answer)).toString('hex'),
      '12086175746f776172651a260a086175746f776172651201311a0178580160006a0072007a0cfa01008202008a0200920200',
    );
  });

  it('carries reason and traceback of a failure', () => {
    const failure = { type: 'UNRECOVERABLE', reason: 'E309: not trusted', traceback: 'caused by x' } as const;
    const wire = statusToV2(ecuStatus('a', { status: 'FAILURE', failure }));
    assert.equal(wire.failureType, 2);
    assert.equal(wire.failureReason, 'E309: not trusted');
    assert.equal(wire.failureTraceback, 'caused by x');
  });

  it('sums copied, linked and downloaded files, and counts removed ones', () => {
    const { updateStatus } = statusToV2(ecuStatus('a', { progress }));
    assert.ok(updateStatus);
    assert.equal(updateStatus.processedFilesNum, 10n);
    assert.equal(updateStatus.processedFilesSize, 1000n);
    assert.equal(updateStatus.downloadedFilesNum, 3n);
    assert.equal(updateStatus.downloadedFilesSize, 400n);
    assert.equal(updateStatus.downloadedBytes, 350n);
    assert.equal(updateStatus.totalRemoveFilesNum, 7n);
    assert.equal(updateStatus.removedFilesNum, 6n);
    assert.equal(updateStatus.updateStartTimestamp, 1_700_000_000n);
    assert.deepEqual(
      [updateStatus.totalElapsedTime?.seconds, updateStatus.totalElapsedTime?.nanos],
      [65n, 432_000_000],
    );
  });

  it('survives the way to another ECU, but for the difference between copy and link', () => {
    const sent = ecuStatus('a', {
      progress,
      release: { releaseName: 'n', releaseId: 'i', imageId: 'm' },
    });
    const back = statusFromV2(
      fromBinary(StatusResponseEcuV2Schema, toBinary(StatusResponseEcuV2Schema, statusToV2(sent))),
    );
    assert.deepEqual(back, {
      ...sent,
      progress: {
        ...progress,
        copy: { files: 7, bytes: 600, elapsedMs: 2500 },
        link: { files: 0, bytes: 0, elapsedMs: 0 },
      },
    });
  });
});

describe('second-generation status of a peer', () => {
  it('is read as nothing known when its status word is of a newer release', () => {
    const back = statusFromV2(create(StatusResponseEcuV2Schema, { ecuId: 'a', otaStatus: 77 as never }));
    assert.equal(back.status, 'INITIALIZED');
  });

  it('is read as an update when its status word is of a newer release and progress runs', () => {
    const back = statusFromV2(
      create(StatusResponseEcuV2Schema, {
        ecuId: 'a',
        otaStatus: 77 as never,
        updateStatus: { updateStartTimestamp: 5n, phase: 99 as never },
      }),
    );
    assert.equal(back.status, 'UPDATING');
    assert.equal(back.progress?.phase, 'INITIALIZING');
  });

  it('has no failure when a restart made an existing daemon forget it', () => {
    const wire = { ecuId: 'a', otaStatus: 2, failureType: 0, failureReason: '' } as const;
    assert.equal(statusFromV2(create(StatusResponseEcuV2Schema, wire)).failure, undefined);
  });

  it('has an unrecoverable failure when its kind is of a newer release', () => {
    const wire = { ecuId: 'a', otaStatus: 2, failureType: 9 as never, failureReason: 'x' } as const;
    assert.equal(statusFromV2(create(StatusResponseEcuV2Schema, wire)).failure?.type, 'UNRECOVERABLE');
  });

  it('has progress while it updates, even if it sends none', () => {
    const back = statusFromV2(create(StatusResponseEcuV2Schema, { ecuId: 'a', otaStatus: 3 }));
    assert.equal(back.progress?.phase, 'INITIALIZING');
  });

  it('keeps counts beyond exact numbers at the largest exact one', () => {
    const back = statusFromV2(
      create(StatusResponseEcuV2Schema, {
        ecuId: 'a',
        otaStatus: 3,
        updateStatus: { totalFilesNum: 2n ** 64n - 1n },
      }),
    );
    assert.equal(back.progress?.totalFiles, Number.MAX_SAFE_INTEGER);
  });
});
