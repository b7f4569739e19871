import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import { scratchDirectory } from '../support/scratch-directory.ts';

const never = new AbortController().signal;
const release = { version: '2', detail: undefined, imageDigest: 'd2' };
const failure = { type: 'RECOVERABLE', reason: 'E100: no network; mend', traceback: '' } as const;

/** An ECU, and what both slots say: [status, slot_in_use, version], `-` for a file that is not there. */
async function ecu(t: TestContext) {
  const directory = await scratchDirectory(t);
  const file = (slot: string, name: string): string => join(directory, 'status', slot, name);
  const said = async (): Promise<readonly string[]> => {
    const lines: string[] = [];
    for (const slot of ['slot_a', 'slot_b']) {
      const texts = ['status', 'slot_in_use', 'version'].map((name) =>
        readFile(file(slot, name), 'utf8').catch(() => '-'),
      );
      lines.push((await Promise.all(texts)).join(' '));
    }
    return lines;
  };
  const start = (): Promise<Slots> => bootDirectorySlots({ directory, reboot: () => Promise.resolve() });
  return { file, said, start };
}

// What existing clients write in the same moments; status tools read it byte for byte.
describe('what the status files of both slots say', () => {
  it('follows an update that is kept', async (t) => {
    const { said, start } = await ecu(t);
    const slots = await start();
    assert.deepEqual(await said(), ['INITIALIZED slot_a -', '- - -']);
    const tree = await slots.prepare(never);
    assert.deepEqual(await said(), ['FAILURE slot_b -', '- - -']);
    await slots.activate(tree, release);
    assert.deepEqual(await said(), ['FAILURE slot_b -', 'UPDATING slot_b 2']);
    const next = await start();
    assert.deepEqual(await said(), ['FAILURE slot_b -', 'UPDATING slot_b 2']);
    await next.confirm();
    assert.deepEqual(await said(), ['FAILURE slot_b -', 'SUCCESS slot_b 2']);
  });

  it('is FAILURE in both after an error, in the standby slot too when that was written to', async (t) => {
    const { said, start } = await ecu(t);
    const slots = await start();
    await slots.record('FAILURE', failure);
    assert.deepEqual(await said(), ['FAILURE slot_a -', '- - -'], 'nothing was ever in the other slot');
    await slots.prepare(never);
    await slots.record('FAILURE', failure);
    assert.deepEqual(await said(), ['FAILURE slot_b -', 'FAILURE - -']);
  });

  it('is ABORTED in the running slot only', async (t) => {
    const { said, start } = await ecu(t);
    const slots = await start();
    await slots.prepare(never);
    await slots.record('ABORTED', undefined);
    assert.deepEqual(await said(), ['ABORTED slot_b -', '- - -']);
  });

  it('begins anew, with the running slot in use, where the word is missing or unknown', async (t) => {
    for (const word of ['', 'DAMAGED', '\0\0\0\0']) {
      const { file, said, start } = await ecu(t);
      await (await start()).prepare(never);
      await writeFile(file('slot_a', 'status'), word);
      await start();
      assert.deepEqual((await said())[0], 'INITIALIZED slot_a -', JSON.stringify(word));
    }
  });
});
