import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BootError } from '#boot/boot-error.ts';
import { formatGrubenv, GrubenvFile, parseGrubenv } from '#boot/grub/grubenv.ts';
import { missingPrograms } from '../../support/missing-programs.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';

const tool = missingPrograms('grub-editenv');
const values = new Map([
  ['saved_entry', 'slot_a'],
  ['next_entry', ''],
  ['other', 'a\\b=c d'],
]);

describe('environment block of GRUB', () => {
  it('is 1024 bytes and reads back as it was written', () => {
    const block = formatGrubenv(values);
    assert.equal(block.length, 1024);
    assert.ok(block.toString('latin1').startsWith('# GRUB Environment Block\nsaved_entry=slot_a\n'));
    assert.deepEqual(parseGrubenv(block), values);
  });

  it('is what grub-editenv reads and writes', { skip: tool }, async (t) => {
    const path = join(await scratchDirectory(t), 'grubenv');
    await writeFile(path, formatGrubenv(values));
    assert.match(execFileSync('grub-editenv', [path, 'list'], { encoding: 'utf8' }), /^saved_entry=slot_a$/m);
    execFileSync('grub-editenv', [path, 'set', 'other=x\\y', 'more=1']);
    const changed = new Map([...values, ['other', 'x\\y'], ['more', '1']]);
    assert.deepEqual(parseGrubenv(await readFile(path)), changed);
    execFileSync('grub-editenv', [path, 'create']);
    assert.deepEqual(parseGrubenv(await readFile(path)), new Map());
  });

  it('is none when its size, its header or a variable is broken', () => {
    const block = formatGrubenv(values);
    for (const broken of [
      Buffer.alloc(0),
      Buffer.alloc(1024),
      block.subarray(0, 1023),
      Buffer.concat([block, Buffer.from('#')]),
      Buffer.from(block.toString('latin1').replace('GRUB', 'BURG'), 'latin1'),
      Buffer.from('# GRUB Environment Block\nsaved_entry='.padEnd(1024, 'x'), 'latin1'),
    ]) {
      assert.equal(parseGrubenv(broken), undefined);
    }
  });

  it('refuses more variables than fit', () => {
    assert.equal(formatGrubenv(new Map([['a', 'x'.repeat(1024 - 25 - 3)]])).length, 1024);
    assert.throws(
      () => formatGrubenv(new Map([['a', 'x'.repeat(1024 - 25 - 2)]])),
      (error) =>
        error instanceof BootError && error.code === 'switch_failed' && /is full/.test(error.message),
    );
  });

  it('is damaged, and not empty, when the file is no block', async (t) => {
    const directory = await scratchDirectory(t);
    const file = new GrubenvFile(directory, { mountPoint: directory, type: 'ext4' });
    assert.deepEqual(await file.read(), new Map());
    await writeFile(file.path, 'saved_entry=slot_a\n');
    await assert.rejects(file.read(), (error) => {
      assert.ok(error instanceof BootError);
      assert.equal(error.code, 'startup_failed');
      assert.match(error.message, /grubenv is damaged: 19 bytes.*grub-editenv/);
      return true;
    });
  });
});
