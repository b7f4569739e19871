import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeKeys } from '#image/build/keys.ts';
import { ImageError } from '#image/image-error.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { verifyChain } from '#image/trust/verify-chain.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const day = 24 * 60 * 60 * 1000;

function refuses(options: Parameters<typeof makeKeys>[0], message: RegExp): Promise<void> {
  return assert.rejects(makeKeys(options), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, 'options_invalid');
    assert.match(error.message, message);
    return true;
  });
}

describe('makeKeys', () => {
  it('makes a chain that vehicles trust when its two authorities are installed', async (t) => {
    const directory = join(await scratchDirectory(t), 'new', 'keys');
    const now = new Date('2026-03-01T00:00:00Z');
    const files = await makeKeys({ directory, chain: 'fleet', organization: 'Example', days: 100, now });
    assert.deepEqual(readdirSync(directory).sort(), [
      'fleet.intermediate.key',
      'fleet.intermediate.pem',
      'fleet.root.key',
      'fleet.root.pem',
      'sign.key',
      'sign.pem',
    ]);
    const leaf = new X509Certificate(readFileSync(files.signCertificate));
    const chain = verifyChain(leaf, await loadTrustStore(directory), now);
    assert.deepEqual(
      chain.map((certificate) => certificate.subject),
      ['O=Example\nCN=fleet image signer', 'O=Example\nCN=fleet intermediate', 'O=Example\nCN=fleet root'],
    );
    assert.equal(leaf.validToDate.getTime(), now.getTime() + 100 * day);
    assert.ok(leaf.validFromDate.getTime() < now.getTime() - day / 2, 'clocks of vehicles may lag');
    assert.ok(leaf.checkPrivateKey(createPrivateKey(readFileSync(files.signKey))));
  });

  it('lets nobody but the owner read private keys', async (t) => {
    const directory = await scratchDirectory(t);
    const files = await makeKeys({ directory });
    for (const key of [files.rootKey, files.intermediateKey, files.signKey]) {
      assert.equal(statSync(key).mode & 0o777, 0o600, key);
    }
  });

  it('never overwrites: when one file is there, nothing is written', async (t) => {
    const directory = await scratchDirectory(t);
    writeFileSync(join(directory, 'sign.key'), 'precious');
    await refuses({ directory }, /sign\.key exists already/);
    assert.equal(readFileSync(join(directory, 'sign.key'), 'utf8'), 'precious');
    assert.deepEqual(readdirSync(directory), ['sign.key']);
  });

  it('refuses chain names that existing vehicles would not find, and impossible validities', async (t) => {
    const directory = join(await scratchDirectory(t), 'keys');
    for (const chain of ['', 'a.b', 'a/b', 'ä']) await refuses({ directory, chain }, /chain name/);
    for (const days of [0, -1, 1.5, Number.NaN, 20_000]) await refuses({ directory, days }, /valid for/);
    assert.equal(existsSync(directory), false);
  });
});
