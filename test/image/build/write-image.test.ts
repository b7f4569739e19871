import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { directorySource } from '#image/build/source-directory.ts';
import { tarSource } from '#image/build/source-tar.ts';
import { type BuildOptions, buildImage } from '#image/build/write-image.ts';
import { ImageError } from '#image/image-error.ts';
import { buildAndRead, listing } from '../../support/built-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { sha256 } from '../../support/signed-image.ts';
import { tarArchive } from '../../support/tar-archive.ts';

/** Makes files by path and content; a path that ends in a slash is a directory. */
async function tree(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await scratchDirectory(t);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, path.endsWith('/') ? '' : '..'), { recursive: true });
    if (path.endsWith('/')) continue;
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), 0o644);
  }
  return root;
}

/** Path and content of every file below `directory`, in order. */
function contents(directory: string): [string, string][] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name))
    .sort()
    .map((path) => [path.slice(directory.length), readFileSync(path, 'latin1')]);
}

async function refusesOptions(options: BuildOptions, message: RegExp): Promise<void> {
  await assert.rejects(buildImage(options), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, 'options_invalid');
    assert.match(error.message, message);
    return true;
  });
}

const text = (length: number): string => 'all work and no play '.repeat(length / 21 + 1).slice(0, length);

describe('buildImage', () => {
  it('writes the files that existing clients fetch', async (t) => {
    const root = await tree(t, { 'etc/hosts': 'h', 'etc/same': 'h', 'var/empty': '', large: text(50_000) });
    const { directory } = await buildAndRead(t, directorySource(root), { persistents: ['/etc/hosts'] });
    const blob = `${sha256(text(50_000))}.zst`;
    assert.deepEqual(
      contents(directory).map(([path]) => path),
      [
        '/dirs.txt',
        '/metadata.jwt',
        '/persistents.txt',
        '/regulars.txt',
        `/rootfs.zst/${blob}`,
        '/rootfs/etc/hosts',
        '/rootfs/etc/same',
        '/rootfs/var/empty',
        '/sign.pem',
        '/symlinks.txt',
        '/total_regular_size.txt',
      ],
    );
    const owner = `${process.getuid?.()},${process.getgid?.()}`;
    const inode = (path: string): number => statSync(join(directory, 'rootfs', path)).ino;
    assert.equal(inode('etc/hosts'), inode('etc/same'), 'equal contents are stored once');
    assert.equal(readFileSync(join(directory, 'persistents.txt'), 'utf8'), "'/etc/hosts'");
    assert.equal(readFileSync(join(directory, 'total_regular_size.txt'), 'utf8'), '50002');
    assert.equal(readFileSync(join(directory, 'symlinks.txt'), 'utf8'), '');
    assert.equal(
      readFileSync(join(directory, 'regulars.txt'), 'utf8'),
      [
        `0644,${owner},1,${sha256('h')},'/etc/hosts',1,,`,
        `0644,${owner},1,${sha256('h')},'/etc/same',1,,`,
        `0644,${owner},1,${sha256(text(50_000))},'/large',50000,,zst`,
        `0644,${owner},1,${sha256('')},'/var/empty',0,,`,
      ].join('\n'),
    );
  });

  it('gives the same bytes for the same tree, from a directory or a tar stream', async (t) => {
    const root = await tree(t, { 'b/z': 'z', 'b/y': text(20_000), 'a/x': 'x', 'a-b': '1', 'a/': '' });
    linkSync(join(root, 'b/z'), join(root, 'a/z'));
    symlinkSync('x', join(root, 'a/l'));
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    const file = { uid, gid, mode: 0o644 };
    const archive = tarArchive([
      { ...file, name: 'b/z', content: 'z' },
      { ...file, name: 'b', type: '5', mode: statSync(join(root, 'b')).mode & 0o7777 },
      { ...file, name: 'a-b', content: '1' },
      { ...file, name: 'a/z', type: '1', linkname: 'b/z' },
      { ...file, name: 'a/l', type: '2', linkname: 'x' },
      { ...file, name: 'a', type: '5', mode: statSync(join(root, 'a')).mode & 0o7777 },
      { ...file, name: 'b/y', content: text(20_000) },
      { ...file, name: 'a/x', content: 'x' },
    ]);
    const scratch = await scratchDirectory(t);
    const output = (name: string): string => join(scratch, name);
    await buildImage({ source: directorySource(root), output: output('1') });
    await buildImage({ source: directorySource(root), output: output('2') });
    await buildImage({ source: tarSource(Readable.from([archive])), output: output('3') });
    const first = contents(output('1'));
    assert.equal(first.length, 5 + 4 + 1);
    assert.deepEqual(contents(output('2')), first);
    assert.deepEqual(contents(output('3')), first);
    const regulars = readFileSync(join(output('1'), 'regulars.txt'), 'utf8');
    assert.deepEqual(regulars.match(/'[^']*'/g), ["'/a-b'", "'/a/x'", "'/a/z'", "'/b/y'", "'/b/z'"]);
    // Existing clients take inode 0 for none.
    assert.match(regulars, /,2,[0-9a-f]{64},'\/a\/z',1,1,\n.*\n.*,2,[0-9a-f]{64},'\/b\/z',1,1,$/);
  });

  it('compresses what is large enough and gets small enough, in frames that tell their size', async (t) => {
    const noise = Array.from({ length: 2000 }, (_, i) => sha256(String(i))).join('');
    const root = await tree(t, {
      'just-large-enough': text(16_384),
      'one-byte-short': text(16_383),
      'hex-of-noise': noise,
    });
    const { image, directory } = await buildAndRead(t, directorySource(root));
    assert.deepEqual(listing(image), {
      '/hex-of-noise': 'file 0644 128000 zst',
      '/just-large-enough': 'file 0644 16384 zst',
      '/one-byte-short': 'file 0644 16383',
    });
    const frame = readFileSync(join(directory, 'rootfs.zst', `${sha256(text(16_384))}.zst`));
    assert.equal(zstdDecompressSync(frame).toString(), text(16_384));
    // RFC 8878 section 3.1.1.1: frame header descriptor, then the content size; single segment, with checksum.
    assert.equal(frame.readUInt32LE(0), 0xfd2fb528);
    assert.equal((frame[4] ?? 0) & 0b1110_0100, 0b0110_0100);
    assert.equal(frame.readUInt16LE(5) + 256, 16_384);

    const strict = await buildAndRead(t, directorySource(root), {
      compression: { minRatio: 2.5, minSize: 1 },
    });
    assert.deepEqual(listing(strict.image), {
      '/hex-of-noise': 'file 0644 128000',
      '/just-large-enough': 'file 0644 16384 zst',
      '/one-byte-short': 'file 0644 16383 zst',
    });
  });

  it('makes an image without compressed files when told so', async (t) => {
    const root = await tree(t, { large: text(50_000) });
    const { image, directory } = await buildAndRead(t, directorySource(root), {
      compression: { enabled: false },
    });
    assert.deepEqual(listing(image), { '/large': 'file 0644 50000' });
    assert.equal(existsSync(join(directory, 'rootfs.zst')), false);
  });

  it('leaves out what matches ignore rules in .gitignore syntax, case told apart', async (t) => {
    const files = [
      'cache/a',
      'cache/keep',
      'var/log/x.log',
      'var/log/deep/y.log',
      'x.log',
      'X.LOG',
      'Y.LOG',
      'lib/cache/b',
      'dev/null',
    ];
    const root = await tree(t, Object.fromEntries(files.map((path) => [path, path])));
    const ignore = ['# a comment', '', '*.log', '!/x.log', '/cache/*', '!/cache/keep', 'dev/'];
    const { image } = await buildAndRead(t, directorySource(root), { ignore });
    assert.deepEqual(Object.keys(listing(image)), [
      '/cache',
      '/lib',
      '/lib/cache',
      '/var',
      '/var/log',
      '/var/log/deep',
      '/X.LOG',
      '/Y.LOG',
      '/cache/keep',
      '/lib/cache/b',
      '/x.log',
    ]);
  });

  it('refuses an output that holds something, cannot be made, or lies inside the source', async (t) => {
    const root = await tree(t, { file: 'x', 'empty/': '' });
    const source = directorySource(root);
    await refusesOptions({ source, output: root }, /not empty/);
    await refusesOptions({ source, output: join(root, 'file') }, /cannot be made/);
    await refusesOptions({ source, output: join(root, 'none/image') }, /cannot be made/);
    await refusesOptions({ source, output: join(root, 'image') }, /inside the source/);
    await refusesOptions({ source, output: join(root, 'empty') }, /inside the source/);
    assert.deepEqual(readdirSync(root).sort(), ['empty', 'file']);
    await refusesOptions({ source, output: join(root, '../x'), persistents: ["/it's"] }, /persistent/);
  });

  it('leaves the output as it was when the build fails', async (t) => {
    const broken = (): Readable =>
      Readable.from([tarArchive([{ name: 'a', content: text(90_000) }]).subarray(0, 50_000)]);
    const scratch = await scratchDirectory(t);
    mkdirSync(join(scratch, 'empty'));
    for (const output of [join(scratch, 'new'), join(scratch, 'empty')]) {
      await assert.rejects(buildImage({ source: tarSource(broken()), output }), ImageError);
    }
    assert.deepEqual(readdirSync(scratch, { recursive: true }), ['empty']);
  });

  it('stops on a signal', async (t) => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, text(200_000) + i]));
    const root = await tree(t, files);
    const output = join(await scratchDirectory(t), 'image');
    const controller = new AbortController();
    const building = buildImage({
      source: directorySource(root),
      output,
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 10) controller.abort(new Error('enough'));
      },
    });
    await assert.rejects(building, /enough/);
    assert.equal(existsSync(output), false);
  });
});
