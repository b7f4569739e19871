import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OtaFailure } from '#domain/failure.ts';
import { ImageError } from '#image/image-error.ts';
import { NetError } from '#net/net-error.ts';
import { failureOf } from '#update/failure-of.ts';

describe('failureOf', () => {
  it('tells who is not trusted from what is not well-formed', () => {
    assert.equal(
      failureOf(new ImageError('certificate_not_trusted', 'x'), 'placing').code,
      'image_untrusted',
    );
    assert.equal(failureOf(new ImageError('path_traversal', 'x'), 'placing').code, 'image_refused');
    assert.equal(failureOf(new ImageError('metadata_digest_mismatch', 'x'), 'placing').code, 'image_invalid');
  });

  it('tells refused access and a missing image from a bad connection', () => {
    const url = new URL('http://example.org/a?token=secret');
    const code = (error: NetError, fallback: OtaFailure['code']): string => failureOf(error, fallback).code;
    assert.equal(code(new NetError('forbidden', url, 'x'), 'metadata_download'), 'cookies_rejected');
    assert.equal(code(new NetError('not_found', url, 'x'), 'metadata_download'), 'image_invalid');
    assert.equal(
      code(new NetError('attempts_exhausted', url, 'x'), 'metadata_download'),
      'metadata_download',
    );
    assert.equal(code(new NetError('attempts_exhausted', url, 'x'), 'placing'), 'network');
    assert.doesNotMatch(failureOf(new NetError('forbidden', url, 'x'), 'placing').reason, /secret/);
  });

  it('knows a full disk from whichever call met it', () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    assert.equal(failureOf(error, 'placing').code, 'standby_slot_full');
  });

  it('keeps a failure as it is, and the cause of any other error', () => {
    const failure = new OtaFailure('network', 'x');
    assert.equal(failureOf(failure, 'placing'), failure);
    const cause = new TypeError('defect');
    assert.equal(failureOf(cause, 'placing').cause, cause);
    assert.equal(failureOf(cause, 'placing').code, 'placing');
  });
});
