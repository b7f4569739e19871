import assert from 'node:assert/strict';
import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { directoryAccess } from '#image/build/image-access.ts';
import { type ImageSummary, inspectImage } from '#image/build/inspect.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { type BuiltImage, buildAndRead } from '../../support/built-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

async function built(t: TestContext): Promise<BuiltImage> {
  const root = await scratchDirectory(t);
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/file'), 'plain');
  linkSync(join(root, 'd/file'), join(root, 'd/linked'));
  writeFileSync(join(root, 'same'), 'plain');
  writeFileSync(join(root, 'large'), 'x'.repeat(50_000));
  for (let i = 0; i < 12; i++) writeFileSync(join(root, `n${i}`), 'n'.repeat(i + 10));
  symlinkSync('d', join(root, 'l'));
  return buildAndRead(t, directorySource(root), { persistents: ['/d'] });
}

function inspect(directory: string): Promise<ImageSummary> {
  return inspectImage(directoryAccess(directory), new AbortController().signal);
}

describe('inspectImage', () => {
  it('sums up what the image holds and who signed it', async (t) => {
    const { directory, report } = await built(t);
    const { signature, largest, ...sums } = await inspect(directory);
    const small = Array.from({ length: 12 }, (_, i) => i + 10).reduce((sum, size) => sum + size, 0);
    assert.deepEqual(sums, {
      directories: 1,
      symlinks: 1,
      regulars: 16,
      hardLinkGroups: 1,
      hardLinkedFiles: 2,
      totalBytes: 15 + 50_000 + small,
      contents: 14,
      contentBytes: 5 + 50_000 + small,
      compressedContents: 1,
      storedBytes: report.storedBytes,
      persistents: ['/d'],
    });
    assert.ok(report.storedBytes < 1000);
    assert.equal(largest.length, 10);
    assert.deepEqual(largest.slice(0, 3), [
      { path: '/large', bytes: 50_000 },
      { path: '/n11', bytes: 21 },
      { path: '/n10', bytes: 20 },
    ]);
    assert.equal(signature?.subject, 'CN=ota image signer');
    assert.equal(signature?.matches, true);
  });

  it('shows an image that is not signed yet', async (t) => {
    const { directory } = await built(t);
    const signed = await inspect(directory);
    rmSync(join(directory, 'metadata.jwt'));
    assert.deepEqual(await inspect(directory), { ...signed, signature: null });
  });

  it('says when the signature is not of the certificate that lies beside it', async (t) => {
    const { directory } = await built(t);
    const file = join(directory, 'metadata.jwt');
    const [header, payload, signature = ''] = readFileSync(file, 'latin1').split('.');
    const bytes = Buffer.from(signature, 'base64url');
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    writeFileSync(file, `${header}.${payload}.${bytes.toString('base64url')}`);
    assert.equal((await inspect(directory)).signature?.matches, false);
  });

  it('fails for a directory that holds no image', async (t) => {
    await assert.rejects(inspect(await scratchDirectory(t)), { code: 'source_unreadable' });
  });
});
