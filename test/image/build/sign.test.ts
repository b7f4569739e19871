import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type KeyFiles, makeKeys } from '#image/build/keys.ts';
import { loadSigner, type SignerFiles, signImage } from '#image/build/sign.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { readImage } from '../../support/built-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

interface Prepared {
  readonly scratch: string;
  readonly image: string;
  readonly keys: KeyFiles;
}

/** An image that is not signed yet, and keys. */
async function prepare(t: TestContext): Promise<Prepared> {
  const scratch = await scratchDirectory(t);
  const [root, image] = [join(scratch, 'root'), join(scratch, 'image')];
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/hosts'), 'localhost');
  await buildImage({ source: directorySource(root), output: image });
  return { scratch, image, keys: await makeKeys({ directory: join(scratch, 'keys') }) };
}

async function refuses(files: SignerFiles, code: ImageErrorCode): Promise<void> {
  await assert.rejects(loadSigner(files), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

describe('signImage', () => {
  it('writes padded base64url, a DER signature and the claims that existing clients expect', async (t) => {
    const { image, keys } = await prepare(t);
    await signImage(image, await loadSigner({ certificate: keys.signCertificate, key: keys.signKey }));
    const [header = '', payload = '', signature = '', ...rest] = readFileSync(
      join(image, 'metadata.jwt'),
      'latin1',
    ).split('.');
    assert.deepEqual(rest, []);
    for (const part of [header, payload, signature]) {
      assert.match(part, /^[A-Za-z0-9_-]+={0,2}$/);
      assert.equal(part.length % 4, 0);
    }
    assert.equal(Buffer.from(header, 'base64url').toString(), '{"alg": "ES256"}');
    const hash = (name: string): string =>
      createHash('sha256')
        .update(readFileSync(join(image, name)))
        .digest('hex');
    assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString()), [
      { version: 1 },
      { directory: 'dirs.txt', hash: hash('dirs.txt') },
      { symboliclink: 'symlinks.txt', hash: hash('symlinks.txt') },
      { regular: 'regulars.txt', hash: hash('regulars.txt') },
      { persistent: 'persistents.txt', hash: hash('persistents.txt') },
      { certificate: 'sign.pem', hash: hash('sign.pem') },
      { rootfs_directory: 'rootfs' },
      { total_regular_size: '9' },
      { compressed_rootfs_directory: 'rootfs.zst' },
    ]);
    const der = Buffer.from(signature, 'base64url');
    assert.equal(der[0], 0x30);
    const { publicKey } = new X509Certificate(readFileSync(join(image, 'sign.pem')));
    assert.ok(verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, der));
    assert.ok(publicKey.equals(createPublicKey(readFileSync(keys.signKey))));
  });

  it('signs again, with another key and under another name', async (t) => {
    const { scratch, image, keys } = await prepare(t);
    await signImage(image, await loadSigner({ certificate: keys.signCertificate, key: keys.signKey }));
    const other = await makeKeys({ directory: join(scratch, 'other') });
    const renamed = join(scratch, 'release-2.pem');
    copyFileSync(other.signCertificate, renamed);
    await signImage(image, await loadSigner({ certificate: renamed, key: other.signKey }));
    assert.equal((await readImage(image, join(scratch, 'other'))).table.entryCount, 2);
    await assert.rejects(readImage(image, join(scratch, 'keys')), { code: 'certificate_not_trusted' });
  });

  it('refuses a directory that holds no image, and writes nothing into it', async (t) => {
    const { scratch, keys } = await prepare(t);
    const signer = await loadSigner({ certificate: keys.signCertificate, key: keys.signKey });
    await assert.rejects(signImage(scratch, signer), { code: 'source_unreadable' });
    assert.equal(existsSync(join(scratch, 'metadata.jwt')), false);
    assert.equal(existsSync(join(scratch, 'sign.pem')), false);
  });
});

describe('loadSigner', () => {
  it('refuses keys and certificates that cannot sign what vehicles accept', async (t) => {
    const { scratch, keys } = await prepare(t);
    const certificate = keys.signCertificate;
    const key = keys.signKey;
    const file = (name: string, content: string | Buffer): string => {
      writeFileSync(join(scratch, name), content);
      return join(scratch, name);
    };
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    await refuses({ certificate, key: keys.rootKey }, 'certificate_key_refused');
    await refuses({ certificate, key: file('p384.key', p384) }, 'certificate_key_refused');
    await refuses({ certificate, key: certificate }, 'options_invalid');
    await refuses({ certificate, key: join(scratch, 'none') }, 'options_invalid');
    await refuses({ certificate: key, key }, 'options_invalid');
    const both = Buffer.concat([readFileSync(certificate), readFileSync(key)]);
    await refuses({ certificate: file('both.pem', both), key }, 'options_invalid');
    await refuses({ certificate: file('text.pem', 'text'), key }, 'certificate_malformed');
    await refuses({ certificate, key, now: new Date('2100-01-01') }, 'certificate_expired');
    await refuses({ certificate, key, now: new Date('2000-01-01') }, 'certificate_not_yet_valid');
  });

  it('refuses names that would not be plain names in the image, or take the place of its own files', async (t) => {
    const { scratch, keys } = await prepare(t);
    for (const name of [
      'dirs.txt',
      'metadata.jwt',
      'rootfs',
      '.hidden',
      'with space.pem',
      'per%cent.pem',
      'q?.pem',
    ]) {
      const certificate = join(scratch, 'odd', name);
      mkdirSync(join(scratch, 'odd'), { recursive: true });
      copyFileSync(keys.signCertificate, certificate);
      await refuses({ certificate, key: keys.signKey }, 'options_invalid');
      renameSync(certificate, join(scratch, 'gone'));
    }
  });

  it('tells nothing of a key that it cannot read', async (t) => {
    const { scratch, keys } = await prepare(t);
    const key = join(scratch, 'broken.key');
    writeFileSync(key, readFileSync(keys.signKey, 'utf8').replace('MIG', 'MIX'));
    await assert.rejects(loadSigner({ certificate: keys.signCertificate, key }), (error) => {
      assert.ok(error instanceof ImageError);
      assert.equal(error.cause, undefined);
      const secret = readFileSync(keys.signKey, 'utf8').split('\n')[1]?.slice(10) ?? assert.fail();
      assert.ok(!error.message.includes(secret));
      return true;
    });
  });
});
