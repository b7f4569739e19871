import assert from 'node:assert/strict';
import { sign, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { ImageError } from '#image/image-error.ts';
import { trustDescription } from '#image/trust/verified-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { sha256 } from '../../support/signed-image.ts';
import { installChain, makeChain, testNow } from '../../support/signing-chain.ts';

const signed = Buffer.from('header.payload');

describe('trustDescription', () => {
  it('accepts signatures as DER and as r || s, and names the image by what was signed', async (t) => {
    const chain = makeChain();
    const store = await installChain(await scratchDirectory(t), chain);
    const certificate = Buffer.from(chain.leaf.pem);
    const key = chain.leaf.key.privateKey;
    for (const dsaEncoding of ['der', 'ieee-p1363'] as const) {
      const signature = sign('sha256', signed, { key, dsaEncoding });
      const trusted = trustDescription({ certificate, signed, signature }, store, testNow);
      assert.equal(trusted.digest, sha256(signed));
      assert.equal(trusted.chain.length, 3);
    }
  });

  it('refuses a changed text, a changed signature, and every other form of signature', async (t) => {
    const chain = makeChain();
    const store = await installChain(await scratchDirectory(t), chain);
    const certificate = Buffer.from(chain.leaf.pem);
    const key = chain.leaf.key.privateKey;
    const der = sign('sha256', signed, { key });
    const changed = Buffer.from(der);
    changed.writeUInt8((changed.at(-1) ?? 0) ^ 1, changed.length - 1);
    const hostile: [Uint8Array, Uint8Array][] = [
      [Buffer.from('header.Payload'), der],
      [signed, changed],
      [signed, Buffer.concat([der, Buffer.alloc(1)])],
      [signed, Buffer.alloc(0)],
      [signed, Buffer.alloc(64)],
      [signed, sign('sha384', signed, { key })],
      [signed, sign('sha256', signed, { key: makeChain().leaf.key.privateKey })],
    ];
    for (const [text, signature] of hostile) {
      assert.throws(
        () => trustDescription({ certificate, signed: text, signature }, store, testNow),
        (error) => error instanceof ImageError && error.code === 'jwt_signature_invalid',
      );
    }
  });

  it('refuses what is no certificate', async (t) => {
    const store = await installChain(await scratchDirectory(t), makeChain());
    const broken = Buffer.from(new X509Certificate(makeChain().leaf.pem).raw.subarray(0, 100));
    for (const certificate of [Buffer.alloc(0), Buffer.from('hello'), broken]) {
      assert.throws(
        () => trustDescription({ certificate, signed, signature: Buffer.alloc(70) }, store, testNow),
        (error) => error instanceof ImageError && error.code === 'certificate_malformed',
      );
    }
  });
});
