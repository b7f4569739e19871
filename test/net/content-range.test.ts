import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { differs, parseContentRange, strongEtag } from '#net/content-range.ts';

describe('Content-Range', () => {
  it('is read with and without a known total', () => {
    assert.deepEqual(parseContentRange('bytes 5-9/20'), { bytes: { first: 5, last: 9 }, total: 20 });
    assert.deepEqual(parseContentRange('bytes 5-9/*'), { bytes: { first: 5, last: 9 }, total: undefined });
    assert.deepEqual(parseContentRange('bytes */20'), { bytes: undefined, total: 20 });
  });

  it('is nothing when it is malformed or contradicts itself', () => {
    const wrong = [
      undefined,
      '',
      'bytes 5-9',
      'items 5-9/20',
      'bytes 9-5/20',
      'bytes 5-20/20',
      'bytes 5-9/2e3',
    ];
    for (const value of wrong) assert.equal(parseContentRange(value), undefined, String(value));
  });
});

describe('validators', () => {
  it('differ by entity tag, and by date only where a tag is missing', () => {
    const a = { etag: '"1"', lastModified: 'Mon' };
    assert.equal(differs(a, { etag: '"2"', lastModified: 'Mon' }), true);
    assert.equal(differs(a, { etag: '"1"', lastModified: 'Tue' }), false);
    assert.equal(differs(a, { etag: undefined, lastModified: 'Tue' }), true);
    assert.equal(differs(a, { etag: undefined, lastModified: undefined }), false);
  });

  it('guard a range only when they are strong', () => {
    assert.equal(strongEtag({ etag: '"1"', lastModified: undefined }), '"1"');
    assert.equal(strongEtag({ etag: 'W/"1"', lastModified: undefined }), undefined);
    assert.equal(strongEtag(undefined), undefined);
  });
});
