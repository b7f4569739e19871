import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { imageBuildCommand } from '#cli/image-build.ts';
import { imageKeysCommand } from '#cli/image-keys.ts';
import { listing, readImage } from '../support/built-image.ts';
import { type CommandRun, captured } from '../support/captured-command.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { tarArchive } from '../support/tar-archive.ts';

interface Place {
  readonly scratch: string;
  readonly source: string;
  readonly image: string;
}

/** A source with one large and one small file. */
async function place(t: TestContext): Promise<Place> {
  const scratch = await scratchDirectory(t);
  const source = join(scratch, 'source');
  mkdirSync(join(source, 'etc'), { recursive: true });
  writeFileSync(join(source, 'etc/hosts'), 'localhost', { mode: 0o644 });
  writeFileSync(join(source, 'large'), 'x'.repeat(30_000), { mode: 0o644 });
  return { scratch, source, image: join(scratch, 'image') };
}

const build = (...args: string[]): Promise<CommandRun> => captured(imageBuildCommand, args);

describe('ota image build', () => {
  it('builds and signs in one call', async (t) => {
    const { scratch, source, image } = await place(t);
    const keys = join(scratch, 'keys');
    assert.equal((await captured(imageKeysCommand, [keys])).code, 0);
    const signing = ['--key', join(keys, 'sign.key'), '--certificate', join(keys, 'sign.pem')];
    const { code, stdout, stderr } = await build(...signing, '--persistent', '/etc/hosts', source, image);
    assert.deepEqual([code, stderr.replace(/^note: .*\n/, '')], [0, '']);
    assert.match(stdout, /files +2, 30\.0 kB/);
    assert.match(stdout, /Signed by CN=ota image signer\n$/);
    const read = await readImage(image, keys);
    assert.deepEqual(listing(read), {
      '/etc': 'dir 0755',
      '/etc/hosts': 'file 0644 9',
      '/large': 'file 0644 30000 zst',
    });
    assert.deepEqual(read.persistents, ['/etc/hosts']);
  });

  it('reads a tar stream on stdin', async (t) => {
    const { image } = await place(t);
    const archive = gzipSync(tarArchive([{ name: 'a', content: 'a' }]));
    const { code, stdout } = await captured(imageBuildCommand, ['--json', '-', image], { stdin: [archive] });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      directories: 0,
      symlinks: 0,
      regulars: 1,
      hard_link_groups: 0,
      total_bytes: 1,
      contents: 1,
      content_bytes: 1,
      compressed_contents: 0,
      stored_bytes: 1,
      added_directories: 0,
      persistents: [],
      dropped: [],
      notes: [],
      signed: false,
    });
  });

  it('reads a tar file', async (t) => {
    const { scratch, image } = await place(t);
    writeFileSync(join(scratch, 'rootfs.tar'), tarArchive([{ name: 'a', content: 'a' }]));
    assert.equal((await build(join(scratch, 'rootfs.tar'), image)).code, 0);
    assert.equal(readFileSync(join(image, 'rootfs/a'), 'utf8'), 'a');
  });

  it('tells one by one what the format cannot carry, and drops it only when told', async (t) => {
    const { source, image } = await place(t);
    execFileSync('mkfifo', [join(source, 'pipe')]);
    writeFileSync(join(source, 'two\nlines'), '');
    const refused = await build(source, image);
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, '');
    assert.match(refused.stderr, /^ {2}\/pipe: named pipe \(fifos\)\n {2}\/two lines: .*\(names\)\n/m);
    assert.match(refused.stderr, /--drop fifos,names\n$/);
    assert.equal(existsSync(image), false);

    const dropped = await build('--drop', 'fifos,names', source, image);
    assert.equal(dropped.code, 0);
    assert.match(dropped.stderr, /lost: \/pipe: named pipe \(fifos\)\nlost: \/two lines/);
  });

  it('takes ignore rules and persistents from options and files', async (t) => {
    const { scratch, source, image } = await place(t);
    writeFileSync(join(scratch, 'ignore'), '# comment\n/large\n');
    writeFileSync(join(scratch, 'persistents'), '/etc/hosts\n\n/etc/netplan\n');
    const { code } = await build(
      '--ignore-file',
      join(scratch, 'ignore'),
      '--ignore',
      '*.bak',
      '--persistent-file',
      join(scratch, 'persistents'),
      '--persistent',
      '/x',
      source,
      image,
    );
    assert.equal(code, 0);
    assert.doesNotMatch(readFileSync(join(image, 'regulars.txt'), 'utf8'), /large/);
    assert.equal(readFileSync(join(image, 'persistents.txt'), 'utf8'), "'/etc/hosts'\n'/etc/netplan'\n'/x'");
  });

  it('takes the limits of compression', async (t) => {
    const { scratch, source } = await place(t);
    const compressed = async (name: string, ...args: string[]): Promise<number> => {
      const { stdout } = await build('--json', ...args, source, join(scratch, name));
      return (JSON.parse(stdout) as { compressed_contents: number }).compressed_contents;
    };
    assert.equal(await compressed('1'), 1);
    assert.equal(await compressed('2', '--no-compression'), 0);
    assert.equal(await compressed('3', '--min-size', '30001'), 0);
    assert.equal(await compressed('4', '--min-ratio', '1000', '--level', '19'), 1);
    assert.equal(
      await compressed('5', '--min-size', '0', '--min-ratio', '1'),
      1,
      '9 bytes do not get smaller',
    );
  });

  it('is called wrongly with exit code 2, before anything is made', async (t) => {
    const { scratch, source, image } = await place(t);
    const wrong = [
      [],
      [source],
      [source, image, 'more'],
      [join(scratch, 'none'), image],
      ['--drop', 'everything', source, image],
      ['--level', '23', source, image],
      ['--level', '', source, image],
      ['--min-size', '1.5', source, image],
      ['--min-ratio', 'x', source, image],
      ['--key', 'k', source, image],
      ['--unknown', source, image],
    ];
    for (const args of wrong) {
      const { code, stderr } = await build(...args);
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, /^ota image build: .*\nTry: ota image build --help\n$/);
    }
    assert.equal(existsSync(image), false);
  });

  it('checks the key before it builds', async (t) => {
    const { source, image } = await place(t);
    const { code, stderr } = await build('--key', 'none', '--certificate', 'none', source, image);
    assert.equal(code, 1);
    assert.match(stderr, /none cannot be read/);
    assert.equal(existsSync(image), false);
  });

  it('counts on a terminal, and nowhere else', async (t) => {
    const { scratch, source } = await place(t);
    const on = await captured(imageBuildCommand, [source, join(scratch, '1')], { isTTY: true });
    assert.ok(on.stdout.startsWith('\r\u001b[Kreading 1 files, '), on.stdout);
    const off = await build(source, join(scratch, '2'));
    assert.ok(!off.stdout.includes('\u001b'));
  });
});
