import assert from 'node:assert/strict';
import { chmod, link, lutimes, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { type CompareOptions, compareTree } from '#image/compare-tree.ts';
import type { FileTable } from '#image/file-table.ts';
import { FileTableBuilder } from '#image/file-table-builder.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { sha256 } from '../support/signed-image.ts';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const large = 'x'.repeat(200_000);

function sampleTable(): FileTable {
  const builder = new FileTableBuilder();
  builder.addDirectory('/etc', 0o755, uid, gid);
  builder.addDirectory('/tmp', 0o1777, uid, gid);
  builder.addSymlink('/etc/link', '../tmp', uid, gid);
  const file = (path: string, content: string, mode: number, inode?: string): void => {
    const { length } = Buffer.from(content);
    builder.addRegular({
      path,
      mode,
      uid,
      gid,
      sha256: sha256(content),
      size: length,
      inode,
      compressed: false,
    });
  };
  file('/etc/large', large, 0o644);
  file('/etc/one', 'linked', 0o600, '7');
  file('/etc/same', 'linked', 0o600);
  file('/etc/setuid', 'run', 0o4755);
  file('/etc/two', 'linked', 0o600, '7');
  return builder.finish();
}

/** A tree that is what the table says. */
async function sampleTree(t: TestContext): Promise<string> {
  const root = await scratchDirectory(t);
  await mkdir(`${root}/etc`);
  await mkdir(`${root}/tmp`);
  await chmod(`${root}/etc`, 0o755);
  await chmod(`${root}/tmp`, 0o1777);
  await symlink('../tmp', `${root}/etc/link`);
  await writeFile(`${root}/etc/large`, large);
  await writeFile(`${root}/etc/one`, 'linked', { mode: 0o600 });
  await writeFile(`${root}/etc/same`, 'linked', { mode: 0o600 });
  await writeFile(`${root}/etc/setuid`, 'run');
  await chmod(`${root}/etc/setuid`, 0o4755);
  await chmod(`${root}/etc/large`, 0o644);
  await link(`${root}/etc/one`, `${root}/etc/two`);
  return root;
}

async function differences(root: string, options?: CompareOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { path, what } of compareTree(sampleTable(), root, options)) found.push(`${path} ${what}`);
  return found.toSorted();
}

/** Each change of a tree, and what has to be found. */
const changes: readonly {
  readonly name: string;
  readonly make: (root: string) => Promise<void>;
  readonly found: readonly string[];
}[] = [
  {
    name: 'a missing file',
    make: (root) => rm(`${root}/etc/setuid`),
    found: ['/etc/setuid is missing'],
  },
  {
    name: 'a file that the image does not have',
    make: (root) => writeFile(`${root}/tmp/more`, ''),
    found: ['/tmp/more is not in the image'],
  },
  {
    name: 'other bytes of the same number in a small file',
    make: (root) => writeFile(`${root}/etc/setuid`, 'ran').then(() => chmod(`${root}/etc/setuid`, 0o4755)),
    found: ['/etc/setuid has other content'],
  },
  {
    name: 'one other byte at the end of a large file',
    make: (root) => writeFile(`${root}/etc/large`, `${large.slice(1)}y`),
    found: ['/etc/large has other content'],
  },
  {
    name: 'a lost setuid bit',
    make: (root) => chmod(`${root}/etc/setuid`, 0o755),
    found: ['/etc/setuid has mode 755, should have 4755'],
  },
  {
    name: 'a lost sticky bit',
    make: (root) => chmod(`${root}/tmp`, 0o777),
    found: ['/tmp has mode 777, should have 1777'],
  },
  {
    name: 'a symlink that points elsewhere',
    make: async (root) => {
      await rm(`${root}/etc/link`);
      await symlink('../tmp/', `${root}/etc/link`);
    },
    found: ['/etc/link points elsewhere'],
  },
  {
    name: 'a directory in the place of a symlink',
    make: async (root) => {
      await rm(`${root}/etc/link`);
      await mkdir(`${root}/etc/link`);
    },
    found: ['/etc/link is of another type'],
  },
  {
    name: 'a hard link that became a file of its own',
    make: async (root) => {
      await rm(`${root}/etc/two`);
      await writeFile(`${root}/etc/two`, 'linked', { mode: 0o600 });
    },
    found: ['/etc/two is not hard-linked to its group'],
  },
  {
    name: 'files of equal content that were hard-linked',
    make: async (root) => {
      await rm(`${root}/etc/same`);
      await link(`${root}/etc/one`, `${root}/etc/same`);
    },
    found: ['/etc/same has 3 names, should have 1'],
  },
];

describe('compareTree', () => {
  it('finds nothing in a tree that is the same, whatever its times', async (t) => {
    const root = await sampleTree(t);
    await lutimes(`${root}/etc/link`, 1, 1);
    assert.deepEqual(await differences(root), []);
  });

  for (const { name, make, found } of changes) {
    it(`finds ${name}`, async (t) => {
      const root = await sampleTree(t);
      await make(root);
      assert.deepEqual(await differences(root), found);
    });
  }

  it('finds everything below a file that took the place of a directory', async (t) => {
    const root = await sampleTree(t);
    await rename(`${root}/etc`, `${root}/gone`);
    await writeFile(`${root}/etc`, '');
    const found = await differences(root);
    assert.ok(found.includes('/etc is of another type'), found.join('\n'));
    assert.ok(found.includes('/etc/large is missing'), found.join('\n'));
    assert.ok(found.includes('/gone/large is not in the image'), found.join('\n'));
  });

  it('passes over what may differ, with all that lies below, and nothing beside it', async (t) => {
    const root = await sampleTree(t);
    await chmod(`${root}/etc/setuid`, 0o755);
    await mkdir(`${root}/etc.d`);
    assert.deepEqual(await differences(root, { except: ['/etc'] }), ['/etc.d is not in the image']);
  });

  it('compares owners unless it is told not to', async (t) => {
    const root = await sampleTree(t);
    const builder = new FileTableBuilder();
    builder.addDirectory('/etc', 0o755, uid + 1, gid);
    const owners: string[] = [];
    for await (const { path, what } of compareTree(builder.finish(), root)) {
      if (path === '/etc') owners.push(what);
    }
    assert.deepEqual(owners, [`belongs to ${uid}:${gid}, should to ${uid + 1}:${gid}`]);
    for await (const { path } of compareTree(builder.finish(), root, { owners: false })) {
      assert.notEqual(path, '/etc');
    }
  });

  it('stops when it is told to', async (t) => {
    const root = await sampleTree(t);
    await assert.rejects(differences(root, { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  });
});
