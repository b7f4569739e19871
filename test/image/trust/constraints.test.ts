import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { constraintsOf } from '#image/trust/constraints.ts';
import { issue, makeRoot, type Signer } from '../../support/signing-chain.ts';

/** A version 1 certificate without any extension, as `openssl x509 -req` makes it. */
const withoutExtensions = `-----BEGIN CERTIFICATE-----
MIIBKzCB0QIUDpBkOWT9K6qiqmeya7hw5S0auLswCgYIKoZIzj0EAwIwGDEWMBQG
A1UEAwwNcGxhaW4uZXhhbXBsZTAeFw0yNjExMjIxOTI2MDhaFw0yNjExMjMxOTI2
MDhaMBgxFjAUBgNVBAMMDXBsYWluLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASQRIkyLFguvDKlOX0Vi0iFmCO9TYrKVmwm97zyxHMUZuVfBcXr0Its
O0zP6obSS7FK1Ga+M3HNsIurAh+6KYVLMAoGCCqGSM49BAMCA0kAMEYCIQDdD9MD
CREvWKs5NtHoqqnwTsNic0+O9YYsC5v8xPslCwIhAOheSAlvMNVtAcCpAHcxOV1j
X/vcH2BjcZpWDpNQMY4n
-----END CERTIFICATE-----
`;

function read(signer: Signer): { signsData: boolean; pathLength: number } {
  return constraintsOf(new X509Certificate(signer.pem));
}

describe('constraintsOf', () => {
  it('reads the path length, if there is one', () => {
    const root = makeRoot('root');
    assert.equal(read(root).pathLength, Number.POSITIVE_INFINITY);
    assert.equal(read(issue(root, 'ca', { isCa: true, pathLength: 0 })).pathLength, 0);
    assert.equal(read(issue(root, 'ca', { isCa: true, pathLength: 3 })).pathLength, 3);
    assert.equal(read(issue(root, 'leaf')).pathLength, Number.POSITIVE_INFINITY);
  });

  it('reads whether the key may sign data', () => {
    const root = makeRoot('root');
    assert.equal(read(root).signsData, false, 'keyCertSign and cRLSign only');
    assert.equal(read(issue(root, 'leaf')).signsData, true);
    assert.equal(read(issue(root, 'leaf', { keyUsage: ['keyEncipherment'] })).signsData, false);
  });

  it('allows everything to a certificate without extensions', () => {
    const certificate = new X509Certificate(withoutExtensions);
    const constraints = { isVersion1: true, signsData: true, pathLength: Number.POSITIVE_INFINITY };
    assert.deepEqual(constraintsOf(certificate), constraints);
  });
});
