import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { type CertificateOptions, makeCertificate } from '#image/build/certificate.ts';
import { ImageError } from '#image/image-error.ts';

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const p256 = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });

function rootOptions(keys: KeyPair): CertificateOptions {
  const name = { commonName: 'root', organization: 'Vehicle Works' };
  return {
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signerKey: keys.privateKey,
    notBefore: new Date('2025-01-01T00:00:00Z'),
    notAfter: new Date('2055-06-07T08:09:10Z'),
    isCa: true,
  };
}

describe('makeCertificate', () => {
  it('makes a self-signed root that Node reads, with both forms of time', () => {
    const keys = p256();
    const root = new X509Certificate(makeCertificate(rootOptions(keys)));
    assert.equal(root.subject, 'O=Vehicle Works\nCN=root');
    assert.equal(root.issuer, root.subject);
    assert.equal(root.ca, true);
    assert.equal(root.validFrom, 'Jan  1 00:00:00 2025 GMT');
    assert.equal(root.validTo, 'Jun  7 08:09:10 2055 GMT');
    assert.ok(root.verify(keys.publicKey));
    assert.ok(root.checkIssued(root), 'key identifiers and key usage let it be its own issuer');
    assert.ok(root.checkPrivateKey(keys.privateKey));
  });

  it('makes a leaf that its issuer issued and nobody else did', () => {
    const rootKeys = p256();
    const leafKeys = p256();
    const root = new X509Certificate(makeCertificate(rootOptions(rootKeys)));
    const twin = new X509Certificate(makeCertificate(rootOptions(p256())));
    const leaf = new X509Certificate(
      makeCertificate({
        ...rootOptions(rootKeys),
        subject: { commonName: 'sign' },
        publicKey: leafKeys.publicKey,
        isCa: false,
      }),
    );
    assert.equal(leaf.ca, false);
    assert.ok(leaf.checkIssued(root));
    assert.ok(!leaf.checkIssued(twin), 'the authority key identifier tells equal names apart');
    assert.ok(!leaf.checkIssued(leaf));
    assert.ok(!leaf.verify(leafKeys.publicKey));
  });

  it('writes serial numbers as positive minimal integers', () => {
    const keys = p256();
    const serialOf = (serial: number[]): string =>
      new X509Certificate(makeCertificate({ ...rootOptions(keys), serial: Uint8Array.from(serial) }))
        .serialNumber;
    assert.equal(serialOf([0xff, 1]), 'FF01');
    assert.equal(serialOf([0, 0, 7]), '07');
    const random = new X509Certificate(makeCertificate(rootOptions(keys))).serialNumber;
    assert.match(random, /^[4-7][0-9A-F]{31}$/);
  });

  it('certifies keys of other kinds, but signs with EC P-256 only', () => {
    const keys = p256();
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const leaf = new X509Certificate(
      makeCertificate({ ...rootOptions(keys), publicKey: rsa.publicKey, isCa: false }),
    );
    assert.equal(leaf.publicKey.asymmetricKeyType, 'rsa');
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    for (const signerKey of [rsa.privateKey, p384.privateKey]) {
      assert.throws(
        () => makeCertificate({ ...rootOptions(keys), signerKey }),
        (error) => error instanceof ImageError && error.code === 'options_invalid',
      );
    }
  });

  it('refuses a validity that ends before it starts', () => {
    const keys = p256();
    const options = rootOptions(keys);
    assert.throws(
      () => makeCertificate({ ...options, notBefore: options.notAfter }),
      (error) => error instanceof ImageError && error.code === 'options_invalid',
    );
  });
});
