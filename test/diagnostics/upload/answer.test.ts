import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { judgeAnswer } from '#diagnostics/upload/answer.ts';

const body = Buffer.from('what was sent');
const hex = createHash('sha256').update(body).digest('hex');
const base64 = createHash('sha256').update(body).digest('base64');
const other = createHash('sha256').update('something else').digest('hex');

function judge(status: number, headers: Record<string, string> = {}, text = '') {
  return judgeAnswer({ status, headers, text }, body, 0);
}

describe('an answer', () => {
  it('of a conflict means stored when it names the same digest, in whichever way', () => {
    for (const status of [409, 412]) {
      assert.equal(judge(status, { etag: `"${hex}"` }).kind, 'stored');
      assert.equal(judge(status, { etag: `W/"sha256:${hex}"` }).kind, 'stored');
      assert.equal(
        judge(status, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).kind,
        'stored',
      );
      assert.equal(judge(status, { 'content-digest': `sha-256=:${base64}:` }).kind, 'stored');
      assert.equal(judge(status, { 'repr-digest': `md5=:abc=:, sha-256=:${base64}:` }).kind, 'stored');
      assert.equal(judge(status, {}, `have ${hex}`).kind, 'stored');
      assert.equal(judge(status, {}, JSON.stringify({ digest: base64 })).kind, 'stored');
    }
  });

  it('of a conflict that names another digest means that something else is there', () => {
    assert.equal(judge(409, { etag: `"${other}"` }).kind, 'conflict');
    assert.equal(judge(412, {}, `have ${other}`).kind, 'conflict');
    const otherBase64 = Buffer.from(other, 'hex').toString('base64');
    assert.equal(judge(409, { 'repr-digest': `sha-256=:${otherBase64}:` }).kind, 'conflict');
  });

  it('of a conflict that names none has to be asked about', () => {
    assert.equal(judge(412).kind, 'exists');
    assert.equal(judge(409, { etag: '"v1"' }, 'exists').kind, 'exists');
    const text = 'no such luck';
    const own = createHash('sha256').update(text).digest('base64');
    assert.equal(judge(409, { 'content-digest': `sha-256=:${own}:` }, text).kind, 'exists');
  });

  it('has its own consequence for each class', () => {
    const kinds: readonly (readonly [number, string])[] = [
      [200, 'stored'],
      [201, 'stored'],
      [204, 'stored'],
      [202, 'retry'],
      [400, 'quarantine'],
      [415, 'quarantine'],
      [422, 'quarantine'],
      [413, 'split'],
      [401, 'unauthorized'],
      [403, 'unauthorized'],
      [404, 'misconfigured'],
      [405, 'misconfigured'],
      [410, 'misconfigured'],
      [418, 'misconfigured'],
      [501, 'misconfigured'],
      [301, 'misconfigured'],
      [307, 'misconfigured'],
      [408, 'retry'],
      [425, 'retry'],
      [429, 'retry'],
      [500, 'retry'],
      [502, 'retry'],
      [503, 'retry'],
      [507, 'retry'],
    ];
    for (const [status, kind] of kinds) assert.equal(judge(status).kind, kind, String(status));
  });

  it('may ask for a pause in seconds or by a date of its own clock, of up to a day', () => {
    const after = (headers: Record<string, string>): number => {
      const verdict = judge(503, headers);
      return verdict.kind === 'retry' ? verdict.afterMs : -1;
    };
    assert.equal(after({ 'retry-after': '7' }), 7000);
    assert.equal(after({ 'retry-after': '99999999' }), 24 * 3600 * 1000);
    assert.equal(after({ 'retry-after': 'soon' }), 0);
    assert.equal(after({ 'retry-after': 'Thu, 01 Jan 1970 00:00:30 GMT' }), 30_000);
    // Our clock stands in 1970, which is nobody else's fault.
    const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
    assert.equal(after({ 'retry-after': 'Wed, 21 Oct 2026 07:30:00 GMT', date }), 120_000);
    assert.equal(after({ 'retry-after': 'Wed, 21 Oct 2026 07:30:00 GMT' }), 24 * 3600 * 1000);
  });
});
