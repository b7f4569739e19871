import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import type { TrustStore } from '#image/trust/trust-store.ts';
import { verifyChain } from '#image/trust/verify-chain.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import {
  installChain,
  installed,
  issue,
  makeChain,
  makeRoot,
  p256,
  type Signer,
  testNow,
} from '../../support/signing-chain.ts';

const past = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2026-06-01T11:59:59Z') };
const future = { notBefore: new Date('2026-06-01T12:00:01Z'), notAfter: new Date('2040-01-01T00:00:00Z') };

/** Version 1 certificates, as `openssl x509 -req` makes them without an extension file: `below` < `middle` < `root` > `sign`. */
const version1 = {
  root: `-----BEGIN CERTIFICATE-----
MIIBKTCB0QIUL9QC5vS8CNH2aqraJGaHJinIy5MwCgYIKoZIzj0EAwIwFzEVMBMG
A1UEAwwMcm9vdC5leGFtcGxlMCAXDTI2MTEyMjIwMTgyN1oYDzIxMjYxMDI5MjAx
ODI3WjAXMRUwEwYDVQQDDAxyb290LmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQmwmKTnfzraOHKilLAtsuWqXtJO8WwlT70RuyJzThUKdKWn8VIaPf1
njRi0CVxrQxzT2oyBsKzMTCIGxzorAxcMAoGCCqGSM49BAMCA0cAMEQCIHSC1lLa
3m3eSST3X/bWN/NqNEjVEbZkWpiH3FFIx3OhAiAqCrO9XPz/lu0WT92aalUjZVM7
mozU52flayeEaWt34g==
-----END CERTIFICATE-----
`,
  sign: `-----BEGIN CERTIFICATE-----
MIIBKjCB0QIUUby5i74G4Brl4RqF9xzHCssIuSkwCgYIKoZIzj0EAwIwFzEVMBMG
A1UEAwwMcm9vdC5leGFtcGxlMCAXDTI2MTEyMjIwMTgyN1oYDzIxMjYxMDI5MjAx
ODI3WjAXMRUwEwYDVQQDDAxzaWduLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ2zzbI6o1ktM398ovfszr5ldlICO08Hj1slVVSP/JVic1DQlIX99Pp
BWX7CVEOKzciuBryeEOpXQ+5E4eGFjuaMAoGCCqGSM49BAMCA0gAMEUCIQCC0AAa
+4T3czJA5n23t2Ds7lLG821ejiBuDgKD3B6uFAIgDcpk+KKB1XC1wpTUeUBxZbWc
1T7HglzejMQQVUDkyLo=
-----END CERTIFICATE-----
`,
  middle: `-----BEGIN CERTIFICATE-----
MIIBKzCB0wIUUby5i74G4Brl4RqF9xzHCssIuSowCgYIKoZIzj0EAwIwFzEVMBMG
A1UEAwwMcm9vdC5leGFtcGxlMCAXDTI2MTEyMjIwMTgyN1oYDzIxMjYxMDI5MjAx
ODI3WjAZMRcwFQYDVQQDDA5taWRkbGUuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABGgF3CrVGT6RtD9ZzBL+wwHeumDM0W6RtbAbmZmDPOY9MB8BdTuY
Smzv6w8pAr64WELV3l7VmJ+cXzBkg+SbdV8wCgYIKoZIzj0EAwIDRwAwRAIgT4sN
Gfz6ECGnCL2HznrEV7sG7xLdIcRu6U45TY0PcWECIEMqhXlL9Yd4vhj9gAhB3r1o
gtv1+6HlSaqWy3SuiP4j
-----END CERTIFICATE-----
`,
  below: `-----BEGIN CERTIFICATE-----
MIIBLTCB1AIUVi1S6xyXkRroPm05gXf8QKFFzGcwCgYIKoZIzj0EAwIwGTEXMBUG
A1UEAwwObWlkZGxlLmV4YW1wbGUwIBcNMjYxMTIyMjAxODI4WhgPMjEyNjEwMjky
MDE4MjhaMBgxFjAUBgNVBAMMDWJlbG93LmV4YW1wbGUwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAARpHbp/KYzyzlNeEH2aui3onUWEParXbVnPCr8PHp66KFEO9yK0
8/cnc5CgtcKdIL93NFJAvfzb1+a+Rl43woSCMAoGCCqGSM49BAMCA0gAMEUCIQC4
3HPGRXvEJyuAQeyR1jzvrUUdGWhq23svx50PCFRX8wIgHLGzfzZnnO44mbSBVE5S
v1PcIOMHHsU8s0C1rB2Tqo8=
-----END CERTIFICATE-----
`,
};

function names(leaf: Signer, store: TrustStore): string[] {
  return verifyChain(new X509Certificate(leaf.pem), store, testNow).map(({ subject }) => subject.slice(3));
}

function refuses(leaf: Signer, store: TrustStore, code: ImageErrorCode, mention?: RegExp): void {
  assert.throws(
    () => verifyChain(new X509Certificate(leaf.pem), store, testNow),
    (error) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.equal(error.code, code, error.message);
      if (mention !== undefined) assert.match(error.message, mention);
      return true;
    },
  );
}

async function store(t: TestContext, ...signers: readonly Signer[]): Promise<TrustStore> {
  const files = signers.map(({ pem }, i): [string, string] => [`c${i}.part.pem`, pem]);
  return installed(await scratchDirectory(t), Object.fromEntries(files));
}

describe('verifyChain', () => {
  it('walks from the leaf through installed intermediates to an installed root', async (t) => {
    const chain = makeChain();
    const trust = await installChain(await scratchDirectory(t), chain);
    assert.deepEqual(names(chain.leaf, trust), ['sign.example', 'intermediate.example', 'root.example']);
  });

  it('finds the right chain among several whose subjects are equal', async (t) => {
    const directory = await scratchDirectory(t);
    const chains = { dev: makeChain(), stg: makeChain(), prd: makeChain() };
    for (const [name, chain] of Object.entries(chains)) await installChain(directory, chain, name);
    const trust = await installChain(directory, chains.dev, 'dev');
    assert.equal(trust.certificates.length, 6);
    for (const chain of Object.values(chains)) assert.equal(names(chain.leaf, trust).length, 3);
    refuses(makeChain().leaf, trust, 'certificate_not_trusted');
  });

  it('takes a leaf that the root issued without an intermediate', async (t) => {
    const root = makeRoot('root.example');
    assert.deepEqual(names(issue(root, 'sign'), await store(t, root)), ['sign', 'root.example']);
  });

  it('takes a self-signed certificate only when exactly that one is installed', async (t) => {
    const own = makeRoot('ota.example');
    assert.deepEqual(names(own, await store(t, own)), ['ota.example']);
    refuses(makeRoot('ota.example'), await store(t, own), 'certificate_not_trusted');
    refuses(own, await store(t, makeChain().root), 'certificate_not_trusted');
  });

  it('refuses everything when no root is installed', async (t) => {
    const { leaf, intermediate } = makeChain();
    refuses(leaf, await store(t), 'trust_store_empty');
    refuses(leaf, await store(t, intermediate), 'trust_store_empty');
    refuses(leaf, await store(t, leaf), 'trust_store_empty');
  });

  it('refuses a chain whose intermediate or root is not installed', async (t) => {
    const { root, intermediate, leaf } = makeChain();
    refuses(leaf, await store(t, root), 'certificate_not_trusted', /"CN=sign.example"/);
    refuses(leaf, await store(t, intermediate, makeRoot('root.example')), 'certificate_not_trusted');
  });

  it('refuses a leaf that names an installed issuer but was signed by somebody else', async (t) => {
    const { root, intermediate } = makeChain();
    const forger: Signer = { ...makeRoot('forger'), name: intermediate.name };
    refuses(issue(forger, 'sign.example'), await store(t, root, intermediate), 'certificate_not_trusted');
  });

  it('refuses a certificate that an installed key signed in the name of somebody else', async (t) => {
    const root = makeRoot('root.example');
    const leaf = issue(root, 'sign', { issuer: { commonName: 'other.example' } });
    assert.ok(new X509Certificate(leaf.pem).verify(root.key.publicKey));
    refuses(leaf, await store(t, root), 'certificate_not_trusted');
  });

  it('refuses a certificate that was changed after it was issued', async (t) => {
    const chain = makeChain();
    const trust = await installChain(await scratchDirectory(t), chain);
    const { raw } = new X509Certificate(chain.leaf.pem);
    const foreign = p256().publicKey.export({ type: 'spki', format: 'der' });
    const own = chain.leaf.key.publicKey.export({ type: 'spki', format: 'der' });
    const otherKey = Buffer.from(raw);
    foreign.copy(otherKey, raw.indexOf(own));
    const otherSignature = Buffer.from(raw);
    otherSignature.writeUInt8((otherSignature.at(-1) ?? 0) ^ 1, raw.length - 1);
    for (const der of [otherKey, otherSignature]) {
      const changed = new X509Certificate(der);
      const issuer = new X509Certificate(chain.intermediate.pem);
      assert.ok(changed.checkIssued(issuer), 'names and key identifiers still match');
      refuses({ ...chain.leaf, pem: changed.toString() }, trust, 'certificate_not_trusted');
    }
  });

  it('refuses issuers that are no certificate authorities', async (t) => {
    const root = makeRoot('root.example');
    const noCa = issue(root, 'plain.example', { keyUsage: ['digitalSignature', 'keyCertSign'] });
    const noCertSign = issue(root, 'nosign.example', { isCa: true, keyUsage: ['digitalSignature'] });
    const trust = await store(t, root, noCa, noCertSign);
    refuses(issue(noCa, 'sign.example'), trust, 'certificate_not_trusted');
    refuses(issue(noCertSign, 'sign.example'), trust, 'certificate_not_trusted');
    const plainRoot = makeRoot('plain root', { isCa: false, keyUsage: ['digitalSignature', 'keyCertSign'] });
    refuses(issue(plainRoot, 'sign.example'), await store(t, plainRoot), 'certificate_not_trusted');
  });

  it('refuses more authorities below one than its path length allows', async (t) => {
    const root = makeRoot('root.example');
    const first = issue(root, 'first.example', { isCa: true, pathLength: 0 });
    const second = issue(first, 'second.example', { isCa: true });
    const trust = await store(t, root, first, second);
    assert.equal(names(issue(first, 'sign'), trust).length, 3);
    refuses(issue(second, 'sign'), trust, 'certificate_not_trusted');
  });

  it('refuses expired and not yet valid certificates, whichever of the chain it is', async (t) => {
    for (const [dates, code] of [
      [past, 'certificate_expired'],
      [future, 'certificate_not_yet_valid'],
    ] as const) {
      const root = makeRoot('root.example');
      const intermediate = issue(root, 'intermediate.example', { isCa: true });
      const oldLeaf = issue(intermediate, 'sign.example', dates);
      refuses(oldLeaf, await store(t, root, intermediate), code, /CN=sign.example/);
      const oldIntermediate = issue(root, 'intermediate.example', { isCa: true, ...dates });
      const leaf = issue(oldIntermediate, 'sign.example');
      refuses(leaf, await store(t, root, oldIntermediate), code, /CN=intermediate.example/);
      const oldRoot = makeRoot('root.example', dates);
      refuses(issue(oldRoot, 'sign'), await store(t, oldRoot), code, /CN=root.example/);
    }
  });

  it('uses a renewed intermediate beside the expired one with the same name and key', async (t) => {
    const root = makeRoot('root.example');
    const old = issue(root, 'intermediate.example', { isCa: true, ...past });
    const renewed = issue(root, 'intermediate.example', { isCa: true }, old.key);
    const leaf = issue(old, 'sign.example');
    assert.equal(names(leaf, await store(t, root, old, renewed)).length, 3);
    assert.equal(names(leaf, await store(t, root, renewed, old)).length, 3);
  });

  it('does not say of a foreign certificate that it is expired', async (t) => {
    const foreign = issue(makeRoot('root.example'), 'sign.example', past);
    refuses(foreign, await store(t, makeRoot('root.example')), 'certificate_not_trusted');
  });

  it('refuses leafs whose key is not EC P-256, or may not sign data', async (t) => {
    const root = makeRoot('root.example');
    const trust = await store(t, root);
    for (const publicKey of [
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey,
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
      generateKeyPairSync('ed25519').publicKey,
    ]) {
      refuses(issue(root, 'sign', { publicKey }), trust, 'certificate_key_refused', /P-256/);
    }
    const forTls = issue(root, 'sign', { keyUsage: ['keyEncipherment'] });
    refuses(forTls, trust, 'certificate_key_refused', /key usage/);
  });

  it('ends on authorities that issued each other, and on chains that are too long', async (t) => {
    const one = makeRoot('one.example');
    const two = issue(one, 'two.example', { isCa: true });
    const oneByTwo = issue(two, 'one.example', { isCa: true }, one.key);
    refuses(issue(two, 'sign'), await store(t, two, oneByTwo, makeRoot('x')), 'certificate_not_trusted');

    const links = [makeRoot('link0')];
    for (let i = 1; i < 9; i++) links.push(issue(links[i - 1] ?? one, `link${i}`, { isCa: true }));
    const trust = await store(t, ...links);
    assert.equal(names(issue(links[6] ?? one, 'sign'), trust).length, 8);
    refuses(issue(links[7] ?? one, 'sign'), trust, 'certificate_not_trusted');
  });

  it('tells the directory in which it looked', async (t) => {
    const trust = await installed(join(await scratchDirectory(t), 'certs'), {});
    refuses(makeChain().leaf, trust, 'trust_store_empty', /certs/);
  });
});

describe('verifyChain with certificates of version 1', () => {
  const now = new Date('2030-01-01T00:00:00Z');
  const subjects = (leaf: string, trust: TrustStore): string[] =>
    verifyChain(new X509Certificate(leaf), trust, now).map(({ subject }) => subject.slice(3));

  it('ends at an installed root, which cannot say that it is one', async (t) => {
    const trust = await installed(await scratchDirectory(t), { 'old.root.pem': version1.root });
    assert.deepEqual(subjects(version1.sign, trust), ['sign.example', 'root.example']);
  });

  it('does not pass through an authority that does not say that it is one', async (t) => {
    const files = { 'old.root.pem': version1.root, 'old.intermediate.pem': version1.middle };
    const trust = await installed(await scratchDirectory(t), files);
    assert.throws(
      () => subjects(version1.below, trust),
      (error) => error instanceof ImageError && error.code === 'certificate_not_trusted',
    );
  });

  it('does not end at a root that is not installed', async (t) => {
    const trust = await installed(await scratchDirectory(t), {
      'other.root.pem': makeRoot('root.example').pem,
    });
    assert.throws(
      () => subjects(version1.sign, trust),
      (error) => error instanceof ImageError && error.code === 'certificate_not_trusted',
    );
  });
});
