import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { failureKinds, OtaFailure } from '#domain/failure.ts';

describe('OtaFailure', () => {
  it('says what happened, why and what to do, behind its number', () => {
    const failure = new OtaFailure('image_untrusted', 'no installed root', { cause: new Error('deep') });
    assert.equal(failure.type, 'UNRECOVERABLE');
    assert.match(failure.reason, /^E309: image signature is not trusted: no installed root; sign the image /);
    assert.equal((failure.cause as Error).message, 'deep');
  });

  it('has a number of its own for every kind', () => {
    const numbers = Object.values(failureKinds).map(({ number }) => number);
    assert.equal(new Set(numbers).size, numbers.length);
  });

  it('is documented, kind by kind, as it is', async () => {
    const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    for (const { number, type, what, mend } of Object.values(failureKinds)) {
      const row = `| \`E${String(number).padStart(3, '0')}\` | ${type.toLowerCase()} | ${what} | ${mend} |`;
      assert.ok(text.includes(row), `docs/operations.md lacks: ${row}`);
    }
  });
});
