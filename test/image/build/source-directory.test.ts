import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ProblemKind } from '#image/build/source.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { NotRepresentable } from '#image/build/write-image.ts';
import { ImageError } from '#image/image-error.ts';
import { buildAndRead, listing } from '../../support/built-image.ts';
import { programsOnPath } from '../../support/programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const everything = [
  'names',
  'devices',
  'fifos',
  'sockets',
  'xattrs',
  'linked-symlinks',
  'unreadable',
] as const;

/** `[kind, path]` of everything that makes the build refuse a directory. */
async function refusals(t: TestContext, root: string): Promise<[ProblemKind, string][]> {
  try {
    await buildAndRead(t, directorySource(root));
  } catch (error) {
    assert.ok(error instanceof NotRepresentable, String(error));
    return error.problems.map(({ kind, path }) => [kind, path]);
  }
  return assert.fail('the image was built');
}

describe('directorySource', () => {
  it('carries types, modes with setuid and sticky, targets, sizes and hard links', async (t) => {
    const root = await scratchDirectory(t);
    mkdirSync(join(root, 'tmp'));
    chmodSync(join(root, 'tmp'), 0o1777);
    mkdirSync(join(root, 'bin'), { mode: 0o755 });
    writeFileSync(join(root, 'bin/su'), 'su');
    chmodSync(join(root, 'bin/su'), 0o4755);
    linkSync(join(root, 'bin/su'), join(root, 'bin/su-again'));
    writeFileSync(join(root, 'bin/same-content'), 'su');
    writeFileSync(join(root, 'empty'), '');
    writeFileSync(join(root, 'large'), 'x'.repeat(100_000));
    writeFileSync(join(root, 'secret'), 's', { mode: 0o600 });
    chmodSync(join(root, 'secret'), 0o000);
    chmodSync(join(root, 'secret'), 0o400);
    symlinkSync('../nowhere at all', join(root, 'bin/dangling'));
    for (const path of ['bin/same-content', 'empty', 'large']) chmodSync(join(root, path), 0o644);

    const { image, report } = await buildAndRead(t, directorySource(root));

    assert.deepEqual(listing(image), {
      '/bin': 'dir 0755',
      '/tmp': 'dir 1777',
      '/bin/dangling': '-> ../nowhere at all',
      '/bin/same-content': 'file 0644 2',
      '/bin/su': 'file 4755 2 link a',
      '/bin/su-again': 'file 4755 2 link a',
      '/empty': 'file 0644 0',
      '/large': 'file 0644 100000 zst',
      '/secret': 'file 0400 1',
    });
    const { table } = image;
    assert.equal(table.uid(table.find('/empty')), process.getuid?.());
    assert.equal(table.gid(table.find('/empty')), process.getgid?.());
    assert.equal(report.totalBytes, 2 + 2 + 2 + 0 + 100_000 + 1);
  });

  it('takes names of one inode for hard links only as far as they lie inside', async (t) => {
    const outside = await scratchDirectory(t);
    const root = join(outside, 'root');
    mkdirSync(root);
    writeFileSync(join(root, 'in'), 'one', { mode: 0o644 });
    linkSync(join(root, 'in'), join(outside, 'out'));
    const { image, directory } = await buildAndRead(t, directorySource(root));
    assert.deepEqual(listing(image), { '/in': 'file 0644 3' });
    assert.match(readFileSync(join(directory, 'regulars.txt'), 'utf8'), /^0644,\d+,\d+,1,/);
  });

  it('never follows a symlink, not even one to a directory', async (t) => {
    const outside = await scratchDirectory(t);
    writeFileSync(join(outside, 'secret'), 'not for the image');
    const root = await scratchDirectory(t);
    symlinkSync(outside, join(root, 'way-out'));
    const { image } = await buildAndRead(t, directorySource(root));
    assert.deepEqual(listing(image), { '/way-out': `-> ${outside}` });
  });

  it('carries names with quotes, commas, spaces, tabs, backslashes and unicode', async (t) => {
    const root = await scratchDirectory(t);
    const names = [
      "it's",
      "end'",
      "''",
      "'\\''",
      ' lead',
      'trail ',
      'a,b',
      "',',",
      'tab\t',
      '\\',
      '日本語',
      '😀',
      'e\u0301',
    ];
    for (const name of names) {
      mkdirSync(join(root, `d${name}`));
      writeFileSync(join(root, `d${name}`, name), name, { mode: 0o644 });
      symlinkSync(`t${name}`, join(root, `l${name}l`));
    }
    const { image } = await buildAndRead(t, directorySource(root));
    const { table } = image;
    for (const name of names) {
      assert.notEqual(table.find(`/d${name}`), -1, name);
      assert.equal(
        table.resourceSize(table.resource(table.find(`/d${name}/${name}`))),
        Buffer.byteLength(name),
      );
      assert.equal(table.target(table.find(`/l${name}l`)), `t${name}`, name);
    }
    assert.equal(table.entryCount, names.length * 3);
  });

  it('tells each thing that the format cannot carry, and builds nothing', async (t) => {
    const root = await scratchDirectory(t);
    mkdirSync(join(root, 'd'));
    writeFileSync(join(root, 'd/two\nlines'), '');
    writeFileSync(join(root, 'd/carriage\rreturn'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${root}/latin-`), Buffer.from([0xe9])]), '');
    mkdirSync(Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from([0xff])]));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from([0xff]), Buffer.from('/in')]), '');
    symlinkSync('x\ny', join(root, 'to-two-lines'));
    symlinkSync(Buffer.from([0xff]), join(root, 'to-latin'));
    symlinkSync('x', join(root, "ends-in-quote'"));
    symlinkSync('a', join(root, 'linked-1'));
    linkSync(join(root, 'linked-1'), join(root, 'linked-2'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await using server = createServer().listen(join(root, 'socket'));
    await once(server, 'listening');

    assert.deepEqual(await refusals(t, root), [
      ['names', '/d/\\xff'],
      ['names', '/d/\\xff/in'],
      ['names', '/d/carriage\rreturn'],
      ['names', '/d/two\nlines'],
      ['names', "/ends-in-quote'"],
      ['names', '/latin-\\xe9'],
      ['linked-symlinks', '/linked-2'],
      ['fifos', '/pipe'],
      ['sockets', '/socket'],
      ['names', '/to-latin'],
      ['names', '/to-two-lines'],
    ]);
  });

  it('drops what it is allowed to, and tells what that was', async (t) => {
    const root = await scratchDirectory(t);
    execFileSync('mkfifo', [join(root, 'pipe')]);
    writeFileSync(join(root, 'two\nlines'), '');
    writeFileSync(join(root, 'kept'), 'k', { mode: 0o644 });
    symlinkSync('a', join(root, 'linked-1'));
    linkSync(join(root, 'linked-1'), join(root, 'linked-2'));

    await assert.rejects(
      buildAndRead(t, directorySource(root), { drop: ['fifos', 'linked-symlinks'] }),
      (error) => {
        assert.ok(error instanceof NotRepresentable);
        assert.deepEqual(
          error.problems.map(({ kind }) => kind),
          ['names'],
        );
        return true;
      },
    );
    const { image, report } = await buildAndRead(t, directorySource(root), { drop: everything });
    assert.deepEqual(listing(image), { '/kept': 'file 0644 1', '/linked-1': '-> a', '/linked-2': '-> a' });
    assert.deepEqual(
      report.dropped.map(({ kind, path }) => [kind, path]),
      [
        ['linked-symlinks', '/linked-2'],
        ['fifos', '/pipe'],
        ['names', '/two\nlines'],
      ],
    );
  });

  it('tells extended attributes, as getfattr lists them, and keeps the files when they may be dropped', async (t) => {
    const root = await scratchDirectory(t);
    writeFileSync(join(root, 'ping'), 'p', { mode: 0o644 });
    writeFileSync(join(root, 'plain'), 'p', { mode: 0o644 });
    await programsOnPath(t, {
      getfattr: `printf '# file: %s/ping\\nsecurity.capability\\nuser.note\\n\\n' "${root}"`,
    });
    await assert.rejects(buildAndRead(t, directorySource(root)), (error) => {
      assert.ok(error instanceof NotRepresentable);
      assert.deepEqual(error.problems, [
        { kind: 'xattrs', path: '/ping', reason: 'has security.capability, user.note' },
      ]);
      return true;
    });
    const { image } = await buildAndRead(t, directorySource(root), { drop: ['xattrs'] });
    assert.deepEqual(listing(image), { '/ping': 'file 0644 1', '/plain': 'file 0644 1' });
  });

  it('says so when nothing on this machine can list extended attributes', async (t) => {
    const root = await scratchDirectory(t);
    const empty = await scratchDirectory(t);
    const before = process.env['PATH'];
    t.after(() => {
      process.env['PATH'] = before;
    });
    process.env['PATH'] = empty;
    const { report } = await buildAndRead(t, directorySource(root));
    assert.match(report.notes.join(), /getfattr/);
  });

  it('tells what it may not read', {
    skip: process.getuid?.() === 0 && 'root may read everything',
  }, async (t) => {
    const root = await scratchDirectory(t);
    writeFileSync(join(root, 'file'), 'x', { mode: 0o200 });
    mkdirSync(join(root, 'closed'));
    writeFileSync(join(root, 'closed/in'), 'x');
    chmodSync(join(root, 'closed'), 0o300);
    assert.deepEqual(await refusals(t, root), [
      ['unreadable', '/closed'],
      ['unreadable', '/file'],
    ]);
    const { image } = await buildAndRead(t, directorySource(root), { drop: ['unreadable'] });
    assert.deepEqual(listing(image), { '/closed': 'dir 0300' });
  });

  it('fails when the directory is not there', async (t) => {
    const root = await scratchDirectory(t);
    await assert.rejects(buildAndRead(t, directorySource(join(root, 'none'))), (error) => {
      assert.ok(error instanceof ImageError);
      assert.equal(error.code, 'source_unreadable');
      return true;
    });
  });
});
