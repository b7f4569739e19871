import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { type CheckReport, checkImage } from '#image/build/check-image.ts';
import { directoryAccess } from '#image/build/image-access.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { type BuiltImage, buildAndRead } from '../../support/built-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

async function built(t: TestContext): Promise<BuiltImage> {
  const root = await scratchDirectory(t);
  mkdirSync(join(root, "it's, a dir"));
  writeFileSync(join(root, "it's, a dir/日本 %41?#.txt"), 'plain');
  writeFileSync(join(root, 'same'), 'plain');
  writeFileSync(join(root, 'other'), 'other');
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'large'), 'x'.repeat(50_000));
  return buildAndRead(t, directorySource(root));
}

async function check({ directory, keys }: BuiltImage, deep: boolean): Promise<CheckReport> {
  const trust = await loadTrustStore(keys);
  return checkImage({
    access: directoryAccess(directory),
    trust,
    deep,
    signal: new AbortController().signal,
  });
}

async function refuses(image: BuiltImage, code: ImageErrorCode): Promise<void> {
  await assert.rejects(check(image, false), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

describe('checkImage', () => {
  it('finds a good image good, and reads its files only when asked', async (t) => {
    const image = await built(t);
    const quick = await check(image, false);
    assert.deepEqual([quick.damaged, quick.filesRead, quick.bytesRead], [[], 0, 0]);
    assert.equal(quick.image.digest, image.image.digest);
    const deep = await check(image, true);
    // "plain" has two paths and one inode: both are looked at, and hashed once.
    assert.deepEqual([deep.damaged, deep.filesRead], [[], 5]);
    assert.ok(
      deep.bytesRead >= 50_000 + 5 + 5 && deep.bytesRead <= 50_000 + 5 + 5 + 5,
      String(deep.bytesRead),
    );
  });

  it('names every damaged file', async (t) => {
    const image = await built(t);
    const at = (path: string): string => join(image.directory, path);
    const [blob = ''] = readdirSync(at('rootfs.zst'));
    writeFileSync(at(`rootfs.zst/${blob}`), zstdCompressSync('x'.repeat(49_999)));
    writeFileSync(at('rootfs/other'), 'OTHER');
    rmSync(at('rootfs/same'));
    appendFileSync(at('rootfs/empty'), 'not empty');
    const { damaged } = await check(image, true);
    assert.deepEqual(
      damaged.map(({ url }) => decodeURIComponent(url).replace(/.*\/image\//, '')),
      [`rootfs.zst/${blob}`, 'rootfs/empty', 'rootfs/other', 'rootfs/same'],
    );
    assert.match(damaged[1]?.reason ?? '', /more than 0 bytes/);
    assert.match(damaged[2]?.reason ?? '', /^holds [0-9a-f]{64} instead of/);
    assert.match(damaged[3]?.reason ?? '', /cannot be read/);
  });

  it('stops unpacking a file that grows beyond its size', async (t) => {
    const image = await built(t);
    const folder = join(image.directory, 'rootfs.zst');
    const [blob = ''] = readdirSync(folder);
    writeFileSync(join(folder, blob), zstdCompressSync(Buffer.alloc(100_000_000)));
    const { damaged, bytesRead } = await check(image, true);
    assert.match(damaged[0]?.reason ?? '', /more than 50000 bytes/);
    assert.ok(bytesRead < 2_000_000, String(bytesRead));
  });

  it('refuses a description that was changed after signing', async (t) => {
    const image = await built(t);
    const at = (name: string): string => join(image.directory, name);
    const regulars = readFileSync(at('regulars.txt'), 'utf8');
    writeFileSync(at('regulars.txt'), regulars.replace("'/other'", "'/othex'"));
    await refuses(image, 'metadata_digest_mismatch');
    writeFileSync(at('regulars.txt'), regulars);
    await check(image, false);

    const jwt = readFileSync(at('metadata.jwt'), 'latin1');
    const [header, payload = '', signature] = jwt.split('.');
    const claims = Buffer.from(payload, 'base64url').toString().replace('"rootfs"', '"rootfx"');
    const changed = Buffer.from(claims).toString('base64url').padEnd(payload.length, '=');
    assert.notEqual(changed, payload);
    writeFileSync(at('metadata.jwt'), `${header}.${changed}.${signature}`);
    await refuses(image, 'jwt_signature_invalid');
    writeFileSync(at('metadata.jwt'), jwt);

    appendFileSync(at('sign.pem'), '\n');
    await refuses(image, 'certificate_digest_mismatch');
    rmSync(at('sign.pem'));
    await refuses(image, 'source_unreadable');
  });

  it('refuses an image of another maker', async (t) => {
    const [image, other] = [await built(t), await built(t)];
    await refuses({ ...image, keys: other.keys }, 'certificate_not_trusted');
    await refuses({ ...image, keys: join(image.keys, 'none') }, 'trust_store_empty');
  });
});
