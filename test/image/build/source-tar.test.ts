import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ProblemKind } from '#image/build/source.ts';
import { tarSource } from '#image/build/source-tar.ts';
import { type BuildOptions, buildImage, NotRepresentable } from '#image/build/write-image.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { type BuiltImage, buildAndRead, listing } from '../../support/built-image.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { type TarEntry, tarArchive, tarEntry } from '../../support/tar-archive.ts';

/** In odd pieces, as a pipe gives them. */
function* pieces(bytes: Buffer, size = 700): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function build(
  t: TestContext,
  archive: Buffer | readonly TarEntry[],
  options: Partial<BuildOptions> = {},
): Promise<BuiltImage> {
  const bytes = Buffer.isBuffer(archive) ? archive : tarArchive(archive);
  return buildAndRead(t, tarSource(Readable.from(pieces(bytes))), options);
}

async function refuses(
  t: TestContext,
  archive: Buffer | readonly TarEntry[],
  code: ImageErrorCode,
): Promise<void> {
  await assert.rejects(build(t, archive), (error) => {
    assert.ok(error instanceof ImageError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

async function problems(t: TestContext, entries: readonly TarEntry[]): Promise<[ProblemKind, string][]> {
  try {
    await build(t, entries);
  } catch (error) {
    assert.ok(error instanceof NotRepresentable, String(error));
    return error.problems.map(({ kind, path }) => [kind, path]);
  }
  return assert.fail('the image was built');
}

/** What the image stores for the file at `path`. */
function contentAt({ image, directory }: BuiltImage, path: string): string {
  const resource = image.table.resource(image.table.find(path));
  const sha256 = image.table.resourceHex(resource);
  return image.table.isCompressed(resource)
    ? zstdDecompressSync(readFileSync(join(directory, 'rootfs.zst', `${sha256}.zst`))).toString()
    : readFileSync(join(directory, 'rootfs', path), 'utf8');
}

const tree: readonly TarEntry[] = [
  { name: './', type: '5', mode: 0o700 },
  { name: './bin/', type: '5' },
  { name: './bin/su', mode: 0o4755, uid: 0, gid: 7, content: 'su' },
  { name: './bin/su-again', type: '1', linkname: './bin/su' },
  { name: './bin/same-content', content: 'su' },
  { name: './bin/sh', type: '2', linkname: 'dash' },
  { name: './empty', uid: 1000, gid: 1000 },
  { name: './large', content: 'x'.repeat(100_000) },
];

const treeListing = {
  '/bin': 'dir 0755',
  '/bin/sh': '-> dash',
  '/bin/same-content': 'file 0644 2',
  '/bin/su': 'file 4755 2 link a',
  '/bin/su-again': 'file 4755 2 link a',
  '/empty': 'file 0644 0',
  '/large': 'file 0644 100000 zst',
};

describe('tarSource', () => {
  it('carries types, modes, owners, contents and hard links', async (t) => {
    const built = await build(t, tree);
    assert.deepEqual(listing(built.image), treeListing);
    const { table } = built.image;
    assert.deepEqual([table.uid(table.find('/bin/su')), table.gid(table.find('/bin/su'))], [0, 7]);
    assert.equal(table.uid(table.find('/empty')), 1000);
    assert.equal(contentAt(built, '/bin/su'), 'su');
    assert.equal(contentAt(built, '/large'), 'x'.repeat(100_000));
  });

  it('undoes gzip and zstd, told by the first bytes', async (t) => {
    const archive = tarArchive(tree);
    assert.deepEqual(listing((await build(t, gzipSync(archive))).image), treeListing);
    assert.deepEqual(listing((await build(t, zstdCompressSync(archive))).image), treeListing);
    const frames = [archive.subarray(0, 3000), archive.subarray(3000)].map((part) => zstdCompressSync(part));
    assert.deepEqual(listing((await build(t, Buffer.concat(frames))).image), treeListing);
  });

  it('takes a hard link to "x", "./x" and "/x" for the same file', async (t) => {
    const { image } = await build(t, [
      { name: 'a/x', content: 'x' },
      { name: 'a/1', type: '1', linkname: 'a/x' },
      { name: './a/2', type: '1', linkname: './a//x' },
      { name: '/a/3', type: '1', linkname: '/a/x' },
    ]);
    assert.deepEqual(listing(image), {
      '/a': 'dir 0755',
      '/a/1': 'file 0644 1 link a',
      '/a/2': 'file 0644 1 link a',
      '/a/3': 'file 0644 1 link a',
      '/a/x': 'file 0644 1 link a',
    });
  });

  it('adds directories that are missing, owned by root and open to read', async (t) => {
    const { image, report } = await build(t, [{ name: 'a/b/c', uid: 5, mode: 0o600, content: 'c' }]);
    assert.deepEqual(listing(image), { '/a': 'dir 0755', '/a/b': 'dir 0755', '/a/b/c': 'file 0600 1' });
    assert.equal(image.table.uid(image.table.find('/a/b')), 0);
    assert.equal(report.addedDirectories, 2);
  });

  it('lets the last entry of a path win, as extraction would, without touching hard links to the first', async (t) => {
    const built = await build(t, [
      { name: 'f', content: 'old' },
      { name: 'other-name', type: '1', linkname: 'f' },
      { name: 'f', content: 'newer', mode: 0o600 },
      { name: 'was-file', content: 'y'.repeat(50_000) },
      { name: 'was-file', type: '2', linkname: 'f' },
      { name: 'was-device', type: '3', device: [1, 3] },
      { name: 'was-device', content: 'file now' },
      { name: 'd', type: '5', mode: 0o700 },
      { name: 'd/in', content: 'in' },
      { name: 'd', type: '5', mode: 0o711 },
    ]);
    assert.deepEqual(listing(built.image), {
      '/d': 'dir 0711',
      '/was-file': '-> f',
      '/d/in': 'file 0644 2',
      '/f': 'file 0600 5',
      '/other-name': 'file 0644 3',
      '/was-device': 'file 0644 8',
    });
    assert.equal(contentAt(built, '/other-name'), 'old');
    assert.equal(contentAt(built, '/f'), 'newer');
    assert.equal(built.report.storedBytes, 3 + 5 + 2 + 8, 'what was replaced is not kept');
  });

  it('reads long names of GNU and PAX archives, and owners beyond the header', async (t) => {
    const deep = `${'d'.repeat(90)}/${'é'.repeat(60)}/${'f'.repeat(90)}`;
    const pax = { path: `pax/${deep}`, linkpath: `/${deep}`, uid: '3000000000', gid: '3000000001' };
    const { image } = await build(t, [
      { name: '././@LongLink', type: 'L', content: `${deep}\0` },
      { name: deep.slice(0, 50), content: 'gnu' },
      { name: '././@LongLink', type: 'K', content: `./${deep}\0` },
      { name: 'hard', type: '1', linkname: 'cut' },
      { name: 'short', type: '2', linkname: 'cut', pax },
    ]);
    const { table } = image;
    assert.equal(table.group(table.find(`/${deep}`)), 1);
    assert.equal(table.group(table.find('/hard')), 1);
    const link = table.find(`/pax/${deep}`);
    assert.equal(table.target(link), `/${deep}`);
    assert.deepEqual([table.uid(link), table.gid(link)], [3_000_000_000, 3_000_000_001]);
  });

  it('tells each thing that the format cannot carry, and builds nothing', async (t) => {
    const latin = Buffer.from([0x6e, 0xe9]);
    assert.deepEqual(
      await problems(t, [
        { name: 'dev/null', type: '3', device: [1, 3] },
        { name: 'dev/sda', type: '4', device: [8, 0] },
        { name: 'dev/null-again', type: '1', linkname: 'dev/null' },
        { name: 'gone', type: '3' },
        { name: 'layer/.wh.gone' },
        { name: 'pipe', type: '6' },
        { name: latin },
        { name: 'x', pax: { path: latin } },
        { name: 'to-latin', type: '2', linkname: latin },
        { name: 'line\nbreak' },
        { name: '../climbs' },
        { name: 'caps', pax: { 'SCHILY.xattr.security.capability': Buffer.from([1, 0, 10, 2]) } },
        { name: 'acl', pax: { 'SCHILY.acl.access': 'user::rw-' } },
        { name: 'sparse', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' } },
        { name: 'l1', type: '2', linkname: 'x' },
        { name: 'l2', type: '1', linkname: 'l1' },
      ]),
      [
        ['names', '../climbs'],
        ['xattrs', '/acl'],
        ['xattrs', '/caps'],
        ['devices', '/dev/null'],
        ['devices', '/dev/null-again'],
        ['devices', '/dev/sda'],
        ['whiteouts', '/gone'],
        ['linked-symlinks', '/l2'],
        ['whiteouts', '/layer/.wh.gone'],
        ['names', '/line\nbreak'],
        ['names', '/n\\xe9'],
        ['names', '/n\ufffd'],
        ['fifos', '/pipe'],
        ['unreadable', '/sparse'],
        ['names', '/to-latin'],
      ],
    );
  });

  it('ignores nothing silently: an ignored file still gives its content to a hard link that is not', async (t) => {
    const built = await build(
      t,
      [
        { name: 'cache/', type: '5' },
        { name: 'cache/x', content: 'wanted' },
        { name: 'cache/y', content: 'unwanted' },
        { name: 'cache/null', type: '3', device: [1, 3] },
        { name: 'kept', type: '1', linkname: 'cache/x' },
      ],
      { ignore: ['/cache/'] },
    );
    assert.deepEqual(listing(built.image), { '/kept': 'file 0644 6' });
    assert.equal(contentAt(built, '/kept'), 'wanted');
    assert.equal(built.report.storedBytes, 6);
  });

  it('refuses what is no archive, is cut short, or contradicts itself', async (t) => {
    const archive = tarArchive(tree);
    await refuses(t, Buffer.alloc(0), 'source_unreadable');
    await refuses(t, Buffer.from('certainly no archive\n'.repeat(100)), 'source_unreadable');
    await refuses(t, archive.subarray(0, 4000), 'source_unreadable');
    // Cut between two entries, where the parser alone takes it for whole.
    await refuses(t, tarEntry({ name: 'a', content: 'a' }), 'source_unreadable');
    await refuses(t, Buffer.concat(tree.map(tarEntry)), 'source_unreadable');
    await refuses(t, gzipSync(archive).subarray(0, -20), 'source_unreadable');
    await refuses(t, zstdCompressSync(archive).subarray(0, -20), 'source_unreadable');
    await refuses(t, Buffer.from('fd377a585a000004', 'hex'), 'source_unreadable');
    await refuses(t, [{ name: 'l', type: '1', linkname: 'later' }, { name: 'later' }], 'source_unreadable');
    await refuses(t, [{ name: 'label', type: 'V' }], 'source_unreadable');
    await refuses(t, [{ name: 'x', pax: { uid: '-1' } }], 'source_unreadable');
    await refuses(
      t,
      [
        { name: 'lib', type: '2', linkname: 'usr/lib' },
        { name: 'lib/x', content: 'x' },
      ],
      'path_below_non_directory',
    );
  });

  it('carries a file that is larger than what is held in memory', async (t) => {
    const content = Buffer.concat([randomBytes(1_000_000), Buffer.alloc(3_000_000), randomBytes(1_000_000)]);
    const built = await build(t, [
      { name: 'first', content },
      { name: 'second', content },
      { name: 'noise', content: content.subarray(0, 999_999) },
    ]);
    assert.deepEqual(listing(built.image), {
      '/first': 'file 0644 5000000 zst',
      '/noise': 'file 0644 999999',
      '/second': 'file 0644 5000000 zst',
    });
    const sha256 = built.image.table.resourceHex(
      built.image.table.resource(built.image.table.find('/first')),
    );
    const stored = readFileSync(join(built.directory, 'rootfs.zst', `${sha256}.zst`));
    assert.ok(zstdDecompressSync(stored).equals(content));
  });

  it('stops on a signal while it waits for the stream, and leaves nothing behind', async (t) => {
    const output = join(await scratchDirectory(t), 'image');
    const controller = new AbortController();
    const stream = new PassThrough();
    stream.write(tarArchive(tree).subarray(0, 2000));
    const building = buildImage({ source: tarSource(stream), output, signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await assert.rejects(building, /enough/);
    assert.equal(existsSync(output), false);
  });
});
