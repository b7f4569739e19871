import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { entryKinds, type FileTable } from '#image/file-table.ts';
import { FileTableBuilder } from '#image/file-table-builder.ts';
import { sha256 } from '../support/signed-image.ts';

function sample(): FileTable {
  const builder = new FileTableBuilder();
  builder.addDirectory('/dir', 0o2755, 1, 2);
  builder.addDirectory('/dir/日本語', 0o700, 4294967294, 0);
  builder.addSymlink('/dir/link', '../ünïcödé', 5, 6);
  builder.addSymlink('/link2', '/dir', 0, 0);
  const file = { mode: 0o4755, uid: 7, gid: 8, inode: undefined, compressed: false };
  builder.addRegular({ ...file, path: '/dir/file', sha256: sha256('1'), size: 5_000_000_000 });
  builder.addRegular({ ...file, path: '/😀', sha256: sha256('2'), size: undefined, compressed: true });
  return builder.finish();
}

describe('FileTable', () => {
  it('gives back what was put in', () => {
    const table = sample();
    const { directory, symlink, regular } = entryKinds;
    const kinds = [0, 1, 2, 3, 4, 5].map((entry) => table.kind(entry));
    assert.deepEqual(kinds, [directory, directory, symlink, symlink, regular, regular]);
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].map((entry) => table.path(entry)),
      ['/dir', '/dir/日本語', '/dir/link', '/link2', '/dir/file', '/😀'],
    );
    assert.deepEqual([table.mode(0), table.uid(0), table.gid(0)], [0o2755, 1, 2]);
    assert.deepEqual([table.mode(1), table.uid(1)], [0o700, 4294967294]);
    assert.deepEqual(
      [table.target(2), table.uid(2), table.gid(2), table.mode(2)],
      ['../ünïcödé', 5, 6, 0o777],
    );
    assert.equal(table.target(3), '/dir');
    assert.equal(table.mode(4), 0o4755);
    const [one, two] = [table.resource(4), table.resource(5)];
    assert.deepEqual([table.resourceSize(one), table.isCompressed(one)], [5_000_000_000, false]);
    assert.deepEqual([table.resourceSize(two), table.isCompressed(two)], [-1, true]);
    assert.deepEqual([table.resourceHex(one), table.resourceHex(two)], [sha256('1'), sha256('2')]);
    assert.deepEqual([table.group(2), table.group(4)], [0, 0], 'a symlink is in no group');
  });

  it('finds entries by path and resources by digest, and nothing else', () => {
    const table = sample();
    for (let entry = 0; entry < table.entryCount; entry++) assert.equal(table.find(table.path(entry)), entry);
    for (const path of ['', '/', '/di', '/dir/', '/dirx', '/dir/日本', `/${'x'.repeat(20_000)}`]) {
      assert.equal(table.find(path), -1, path.slice(0, 20));
    }
    const digest = (content: string): Buffer => Buffer.from(sha256(content), 'hex');
    assert.equal(table.findDigest(digest('1')), table.resource(4));
    assert.equal(table.findDigest(digest('2')), table.resource(5));
    assert.equal(table.findDigest(digest('3')), -1);
    const inside = Buffer.concat([Buffer.alloc(3), digest('2')]).subarray(3);
    assert.equal(table.findDigest(inside), table.resource(5), 'at any offset of a buffer');
  });

  it('reads the same in a worker thread, over the same memory', async () => {
    const table = sample();
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { FileTable } = await import(workerData.module);
      const table = new FileTable(workerData.data);
      parentPort.postMessage([table.path(5), table.target(2), table.find('/dir/file'), table.resourceSize(0)]);
      workerData.data.uids[0] = 77;
      parentPort.postMessage('written');
    `;
    const module = import.meta.resolve('#image/file-table.ts');
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
    const worker = new Worker(url, { workerData: { module, data: table.data } });
    const [answer] = (await once(worker, 'message')) as unknown[];
    assert.deepEqual(answer, ['/😀', '../ünïcödé', 4, 5_000_000_000]);
    await once(worker, 'exit');
    assert.equal(table.uid(0), 77, 'nothing was copied');
  });
});
