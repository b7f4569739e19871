import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { certificateOf, claimsOf, parseJwt } from '#image/legacy/metadata-jwt.ts';
import { base64Url, sha256, signedJwt } from '../../support/signed-image.ts';
import { makeRoot } from '../../support/signing-chain.ts';

const signer = makeRoot('signer');
const hash = sha256('some file');

const honest: readonly object[] = [
  { version: 1 },
  { directory: 'dirs.txt', hash },
  { symboliclink: 'symlinks.txt', hash },
  { regular: 'regulars.txt', hash },
  { persistent: 'persistents.txt', hash },
  { rootfs_directory: 'data' },
  { certificate: 'sign.pem', hash },
];

function jwt(payload: unknown, header?: unknown): Uint8Array {
  return Buffer.from(signedJwt(payload, { signer, header }));
}

function throws(action: () => unknown, code: ImageErrorCode): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

function refuses(claims: unknown, code: ImageErrorCode): void {
  throws(() => claimsOf(parseJwt(jwt(claims))), code);
}

/** The honest claims with one of them replaced. */
function withClaim(key: string, claim: object): object[] {
  return [...honest.filter((item) => !(key in item)), claim];
}

describe('parseJwt', () => {
  it('takes parts with and without padding, and white space at the end', () => {
    for (const encoding of ['padded', 'unpadded'] as const) {
      const text = signedJwt(honest, { signer, encoding });
      const parsed = parseJwt(Buffer.from(`${text}\r\n`));
      assert.equal(Buffer.from(parsed.signed).toString(), text.slice(0, text.lastIndexOf('.')));
      assert.deepEqual(parsed.payload, honest);
      assert.equal(parsed.signature[0], 0x30);
    }
  });

  it('refuses every algorithm but ES256, and extensions it would have to understand', () => {
    for (const alg of ['none', 'None', 'HS256', 'RS256', 'ES384', 'es256', '', null, 256, ['ES256']]) {
      throws(() => parseJwt(jwt(honest, { alg })), 'jwt_algorithm_refused');
    }
    throws(() => parseJwt(jwt(honest, { typ: 'JWT' })), 'jwt_algorithm_refused');
    throws(() => parseJwt(jwt(honest, { alg: 'ES256', crit: ['b64'], b64: false })), 'jwt_malformed');
    assert.ok(parseJwt(jwt(honest, { alg: 'ES256', typ: 'JWT', kid: 'x' })));
  });

  it('refuses what is not three parts of base64url around JSON', () => {
    const [h = '', p = '', s = ''] = signedJwt(honest, { signer }).split('.');
    const text = (value: string): string => base64Url(Buffer.from(value), 'padded');
    const hostile = ['', '..', `${h}.${p}`, `${h}.${p}.`, `${h}.${p}.${s}.${s}`, `.${p}.${s}`];
    hostile.push(`${h}.${p}.A`, `${h}.${p}.AAA==`, `${h}.${p}.AA====`, `${h}.${p}.A=AA`, `${h}.${p}.+/8=`);
    hostile.push(
      `${h}.${p} .${s}`,
      `${h}.${p}.é${s}`,
      `${h}.${text('{"a":')}.${s}`,
      `${text('ES256')}.${p}.${s}`,
    );
    hostile.push(
      `${text('[]')}.${p}.${s}`,
      `${h}.${base64Url(Buffer.from([0x22, 0xff, 0x22]), 'padded')}.${s}`,
    );
    for (const value of hostile) throws(() => parseJwt(Buffer.from(value)), 'jwt_malformed');
  });
});

describe('certificateOf', () => {
  it('reads the certificate and nothing else', () => {
    const parsed = parseJwt(jwt([{ version: 99 }, { certificate: 'sign.pem', hash }]));
    assert.deepEqual(certificateOf(parsed), { name: 'sign.pem', sha256: hash });
  });

  it('refuses names that are more than a plain file name', () => {
    const names = [
      '',
      '.',
      '..',
      '/etc/passwd',
      '../sign.pem',
      'a/b.pem',
      'http://evil.example/x.pem',
      'a\\b',
    ];
    names.push('a:b', '%2e%2e', 'a?b', 'a#b', 'a\0b', 'a\nb', 'n'.repeat(256));
    for (const certificate of names) {
      throws(() => certificateOf(parseJwt(jwt([{ certificate, hash }]))), 'file_name_refused');
    }
    throws(() => certificateOf(parseJwt(jwt([{ certificate: 7, hash }]))), 'claims_invalid');
    throws(() => certificateOf(parseJwt(jwt([{ hash }]))), 'claims_invalid');
  });
});

describe('claimsOf', () => {
  it('merges the objects in any order, and passes over what it does not know', () => {
    const more = [{ compressed_rootfs_directory: 'data.zst' }, { total_regular_size: '23637537004' }];
    const claims = claimsOf(
      parseJwt(jwt([{ future: { deep: 1 }, note: 2 }, {}, ...more, ...honest].reverse())),
    );
    const file = (name: string): object => ({ name, sha256: hash });
    assert.deepEqual(claims, {
      directory: file('dirs.txt'),
      symboliclink: file('symlinks.txt'),
      regular: file('regulars.txt'),
      persistent: file('persistents.txt'),
      certificate: file('sign.pem'),
      rootfsDirectory: 'data',
      compressedRootfsDirectory: 'data.zst',
      totalRegularSize: 23637537004,
    });
  });

  it('does without the optional claims', () => {
    for (const extra of [[], [{ compressed_rootfs_directory: '' }]]) {
      const claims = claimsOf(parseJwt(jwt([...honest, ...extra])));
      assert.equal(claims.compressedRootfsDirectory, undefined);
      assert.equal(claims.totalRegularSize, undefined);
    }
  });

  it('accepts version 1 as number and as text, and no other', () => {
    assert.ok(claimsOf(parseJwt(jwt(withClaim('version', { version: '1' })))));
    for (const version of [2, '2', 0, '1.0', null, [1]]) {
      refuses(withClaim('version', { version }), 'version_unsupported');
    }
  });

  it('accepts a slash at the end of a directory name, and upper-case digests', () => {
    const claims = claimsOf(parseJwt(jwt(withClaim('rootfs_directory', { rootfs_directory: 'rootfs/' }))));
    assert.equal(claims.rootfsDirectory, 'rootfs');
    const upper = { regular: 'regulars.txt', hash: hash.toUpperCase() };
    assert.equal(claimsOf(parseJwt(jwt(withClaim('regular', upper)))).regular.sha256, hash);
  });

  it('refuses every required claim that is missing, or has no digest', () => {
    for (const item of honest) {
      const key = Object.keys(item)[0] ?? '';
      refuses(
        honest.filter((other) => other !== item),
        'claims_invalid',
      );
      if (!('hash' in item)) continue;
      refuses(withClaim(key, { [key]: 'a.txt' }), 'claims_invalid');
      refuses(withClaim(key, { [key]: 'a.txt', hash: hash.slice(1) }), 'claims_invalid');
      refuses(withClaim(key, { [key]: '../a.txt', hash }), 'file_name_refused');
    }
  });

  it('refuses claims that are said twice, and a payload of another shape', () => {
    refuses([...honest, { regular: 'other.txt', hash }], 'claims_invalid');
    for (const payload of [{}, 'x', null, 7, [7], [null], [[]], []]) refuses(payload, 'claims_invalid');
    refuses(withClaim('rootfs_directory', { rootfs_directory: 5 }), 'claims_invalid');
    refuses(withClaim('x', { total_regular_size: 'many' }), 'claims_invalid');
    refuses(withClaim('x', { total_regular_size: -1 }), 'claims_invalid');
  });

  it('refuses directories that are more than a plain name', () => {
    for (const name of ['../data', '/data', 'a/b', 'data//', '/', '..', '../', 'http://x/', 'C:']) {
      refuses(withClaim('rootfs_directory', { rootfs_directory: name }), 'file_name_refused');
      refuses([...honest, { compressed_rootfs_directory: name }], 'file_name_refused');
    }
  });
});
