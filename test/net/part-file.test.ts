import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { discardPart, PartFile, partError } from '#net/part-file.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';
import { serveRange, WireServer } from '../support/wire-server.ts';
import { CountingMeter, collect, content, never, quickSource } from '../support/wire-source.ts';

describe('a part file', () => {
  it('keeps what was appended, for the next one who opens it', async (t) => {
    const path = join(await scratchDirectory(t), 'part');
    {
      await using part = await PartFile.open(path);
      await part.append([Buffer.from('one ')]);
      await part.append([Buffer.from('two '), Buffer.from('three')]);
      assert.equal(part.length, 13);
    }
    await using part = await PartFile.open(path);
    assert.equal(part.length, 13);
    assert.equal(Buffer.from(await part.read(4)).toString(), 'two three');
    await part.append([Buffer.from('!')]);
    assert.equal(await readFile(path, 'utf8'), 'one two three!');
  });

  it('appends many pieces at once', async (t) => {
    const path = join(await scratchDirectory(t), 'part');
    await using part = await PartFile.open(path);
    const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`));
    await part.append(pieces);
    assert.equal(await readFile(path, 'utf8'), Buffer.concat(pieces).toString());
  });

  it('is empty again after it was discarded', async (t) => {
    const path = join(await scratchDirectory(t), 'part');
    await using part = await PartFile.open(path);
    await part.append([Buffer.from('wrong')]);
    await part.discard();
    await part.append([Buffer.from('right')]);
    assert.equal(await readFile(path, 'utf8'), 'right');
  });

  it('fails loudly when it is cut by somebody else while it is read', async (t) => {
    const path = join(await scratchDirectory(t), 'part');
    await using part = await PartFile.open(path);
    await part.append([Buffer.from('something')]);
    await truncate(path, 0);
    await assert.rejects(part.read(0));
  });

  it('is not written through a symlink', async (t) => {
    const folder = await scratchDirectory(t);
    await writeFile(join(folder, 'precious'), 'precious');
    await symlink('precious', join(folder, 'part'));
    await assert.rejects(PartFile.open(join(folder, 'part')), { code: 'ELOOP' });
  });

  it('can be removed, whether it is there or not', async (t) => {
    const path = join(await scratchDirectory(t), 'part');
    await discardPart(path);
    await writeFile(path, 'x');
    await discardPart(path);
    assert.equal(existsSync(path), false);
  });
});

describe('a failure of the file system', () => {
  it('is no space when the disk or the quota is full, and its own code otherwise', () => {
    const errno = (code: string): Error => Object.assign(new Error(code), { code });
    assert.equal(partError(errno('ENOSPC')).code, 'no_space');
    assert.equal(partError(errno('EDQUOT')).code, 'no_space');
    assert.equal(partError(errno('EIO')).code, 'part_failed');
  });

  it('ends the read at once and is not retried', async (t) => {
    const body = content(50_000);
    await using server = await WireServer.start((request, response) => {
      serveRange(request, response, body);
    });
    await using source = quickSource(server.origin);
    const meter = new CountingMeter();
    const nowhere = join(await scratchDirectory(t), 'missing', 'part');
    const missing = source.read({ url: server.url('a'), maxBytes: 1e6, part: nowhere }, meter, never);
    await assert.rejects(collect(missing), { code: 'part_failed' });
    assert.equal(server.seen.length, 0);

    // Every write to /dev/full fails with ENOSPC: the kernel's own full disk.
    const full = source.read({ url: server.url('a'), maxBytes: 1e6, part: '/dev/full' }, meter, never);
    await assert.rejects(collect(full), { code: 'no_space' });
    assert.equal(server.seen.length, 1);
    assert.equal(meter.failures.length, 0, 'the network did not fail');
  });
});
