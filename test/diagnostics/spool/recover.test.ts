import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readContainerBlock, readContainerHeader } from '#diagnostics/messages/container.ts';
import type { SpooledSegment } from '#diagnostics/spool/segment.ts';
import { sumsPath } from '#diagnostics/spool/segment-name.ts';
import { Spool } from '#diagnostics/spool/spool.ts';
import { scratchDirectory } from '../../support/scratch-directory.ts';
import { message, numbersIn, numbersOf, sealedIn, shelfOf } from './spool-contents.ts';
import { spoolOptions } from './spool-options.ts';

/** A sealed segment of some blocks, and where each of them ends. */
interface Made {
  readonly directory: string;
  readonly segment: SpooledSegment;
  readonly bytes: Buffer;
  readonly sums: Buffer;
  /** End of the header, then of every block. */
  readonly ends: readonly number[];
}

async function make(t: TestContext, blocks = 4): Promise<Made> {
  const directory = join(await scratchDirectory(t), 'spool');
  await using spool = await Spool.open(spoolOptions(directory));
  for (let n = 0; n < blocks; n++) await spool.append('bulk', [message(n)]);
  await spool.seal();
  const [segment] = sealedIn(spool);
  assert.ok(segment !== undefined);
  const bytes = await readFile(segment.path);
  const header = readContainerHeader(bytes);
  const ends = [header.end];
  for (let at = header.end; ; ) {
    const block = readContainerBlock(bytes, at, header);
    if (block === undefined) break;
    at = block.end;
    ends.push(at);
  }
  assert.equal(ends.length, blocks + 1);
  return { directory, segment, bytes, sums: await readFile(sumsPath(segment.path)), ends };
}

/** Puts a state of the disk, opens the spool on it, and tells the numbers that it has. */
async function recovered(
  { directory, segment, sums }: Made,
  state: Buffer,
  kind: 'open' | 'sealed',
  withSums = true,
) {
  for (const lane of ['bulk', 'quarantine', 'sums'])
    await rm(join(directory, lane), { recursive: true, force: true });
  await mkdir(join(directory, 'bulk'), { recursive: true });
  await mkdir(join(directory, 'sums'), { recursive: true });
  await writeFile(kind === 'open' ? `${segment.path}.open` : segment.path, state);
  if (withSums) await writeFile(sumsPath(segment.path), sums);
  await using spool = await Spool.open(spoolOptions(directory));
  const numbers = await numbersIn(spool);
  const left = await readdir(join(directory, 'bulk'));
  assert.ok(!left.some((name) => name.endsWith('.open')), 'something is still open');
  return numbers;
}

describe('the recovery of a segment', () => {
  for (const withSums of [true, false]) {
    it(`that was cut off anywhere keeps the whole blocks before, ${withSums ? 'with check sums' : 'at every byte'}`, async (t) => {
      const made = await make(t);
      for (let length = 0; length <= made.bytes.length; length += withSums ? 11 : 1) {
        const whole = made.ends.filter((end) => end <= length).length - 1;
        const wanted = [...Array(Math.max(0, whole)).keys()];
        const cut = made.bytes.subarray(0, length);
        assert.deepEqual(await recovered(made, cut, 'open', withSums), wanted, `cut at ${length}`);
      }
    });
  }

  it('keeps what comes before a tail of zeros, open or sealed, however long', async (t) => {
    const made = await make(t);
    for (const [i, end] of made.ends.entries()) {
      for (const zeros of [1, 15, 4096]) {
        const state = Buffer.concat([made.bytes.subarray(0, end), Buffer.alloc(zeros)]);
        for (const kind of ['open', 'sealed'] as const) {
          assert.deepEqual(
            await recovered(made, state, kind),
            [...Array(i).keys()],
            `${kind} ${end} ${zeros}`,
          );
        }
      }
    }
  });

  it('takes nothing from a header of zeros', async (t) => {
    const made = await make(t);
    const state = Buffer.concat([Buffer.alloc(made.ends[0] ?? 0), made.bytes.subarray(made.ends[0])]);
    assert.deepEqual(await recovered(made, state, 'open', false), []);
    assert.deepEqual(await recovered(made, state, 'sealed'), []);
    // It is put aside: a person may still find something in it.
    assert.equal((await readdir(join(made.directory, 'quarantine'))).length, 2);
  });

  it('finds every flipped bit, and loses no block but the flipped one', async (t) => {
    const made = await make(t, 3);
    const [header = 0, ...ends] = made.ends;
    for (let at = 0; at < made.bytes.length; at += 13) {
      const state = Buffer.from(made.bytes);
      state[at] = (state[at] ?? 0) ^ (1 << (at % 8));
      const hit = at < header ? undefined : ends.findIndex((end) => at < end);
      const wanted = hit === undefined ? [] : [0, 1, 2].filter((n) => n !== hit);
      assert.deepEqual(await recovered(made, state, 'open'), wanted, `open, byte ${at}`);
      assert.deepEqual(await recovered(made, state, 'sealed'), wanted, `sealed, byte ${at}`);
    }
  });

  it('lets what is left of a damaged sealed segment go on under another id', async (t) => {
    const made = await make(t, 3);
    const state = Buffer.from(made.bytes);
    const at = (made.ends[1] ?? 0) + 10;
    state[at] = (state[at] ?? 0) ^ 4;
    await writeFile(made.segment.path, state);
    await using spool = await Spool.open(spoolOptions(made.directory));
    const [damaged] = sealedIn(spool);
    assert.equal(damaged?.id, made.segment.id);
    assert.equal(await shelfOf(spool).read(damaged), undefined);
    const [mended] = sealedIn(spool);
    assert.ok(mended !== undefined && mended.id !== made.segment.id);
    const read = await shelfOf(spool).read(mended);
    assert.deepEqual(numbersOf(read?.bytes ?? Buffer.alloc(0)), [0, 2]);
    const { metadata } = readContainerHeader(read?.bytes ?? Buffer.alloc(0));
    assert.equal(metadata['segment.mended_from'], made.segment.id);
    assert.equal(metadata['segment.id'], mended.id);
    assert.equal(spool.counts.quarantined, 1);
    assert.deepEqual(await readFile(join(made.directory, 'quarantine', basename(made.segment.path))), state);
  });

  it('takes check sums that were torn for as many as are whole', async (t) => {
    const made = await make(t);
    for (let length = 0; length <= made.sums.length; length += 17) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(40), Buffer.from('rubbish\n')]) {
        const sums = Buffer.concat([made.sums.subarray(0, length), tail]);
        for (const kind of ['open', 'sealed'] as const) {
          assert.deepEqual(await recovered({ ...made, sums }, made.bytes, kind), [0, 1, 2, 3]);
        }
      }
    }
  });

  it('removes leftover temporary files and check sums without a segment', async (t) => {
    const { directory } = await make(t);
    await writeFile(join(directory, 'bulk', '.ota-tmp-0000000009-x.avro-aabb'), 'half');
    await writeFile(join(directory, 'sums', '.ota-tmp-x'), 'half');
    await writeFile(join(directory, 'sums', '0000000099-a.sums'), 'orphan');
    await writeFile(join(directory, 'bulk', 'README'), 'not ours');
    await using spool = await Spool.open(spoolOptions(directory));
    assert.deepEqual(await numbersIn(spool), [0, 1, 2, 3]);
    assert.deepEqual((await readdir(join(directory, 'bulk'))).length, 2);
    assert.deepEqual((await readdir(join(directory, 'sums'))).length, 1);
  });

  it('keeps both of two segments with the same sequence number, and gives it to nobody else', async (t) => {
    const { directory, segment } = await make(t);
    const twin = segment.path.replace(segment.id, '11111111-2222-4333-8444-555555555555');
    await copyFile(segment.path, twin);
    await rm(join(directory, 'sequence'));
    await rm(join(directory, 'sequence.copy'));
    await using spool = await Spool.open(spoolOptions(directory));
    assert.equal(sealedIn(spool).length, 2);
    await spool.append('bulk', [message(9)]);
    await spool.seal();
    assert.ok((sealedIn(spool).at(-1)?.sequence ?? 0) > segment.sequence);
  });

  it('prefers a sealed segment to an open one of the same name', async (t) => {
    const { directory, segment, bytes, ends } = await make(t);
    await writeFile(`${segment.path}.open`, bytes.subarray(0, ends[2]));
    await using spool = await Spool.open(spoolOptions(directory));
    assert.deepEqual(await numbersIn(spool), [0, 1, 2, 3]);
  });

  it('leaves files that nobody but us can read', async (t) => {
    const { directory, segment } = await make(t);
    assert.equal((await stat(segment.path)).mode & 0o777, 0o600);
    assert.equal((await stat(sumsPath(segment.path))).mode & 0o777, 0o600);
    assert.equal((await stat(join(directory, 'bulk'))).mode & 0o777, 0o700);
  });
});

describe('sequence numbers', () => {
  async function sequenceAfter(
    t: TestContext,
    harm: (directory: string) => Promise<void>,
  ): Promise<[number, number]> {
    const directory = join(await scratchDirectory(t), 'spool');
    let before = 0;
    {
      await using spool = await Spool.open(spoolOptions(directory));
      for (let n = 0; n < 3; n++) {
        await spool.append('bulk', [message(n)]);
        await spool.seal();
      }
      // Everything was uploaded.
      for (const segment of sealedIn(spool)) {
        before = Math.max(before, segment.sequence);
        await shelfOf(spool).finish(segment, '0'.repeat(64));
      }
    }
    await harm(directory);
    await using spool = await Spool.open(spoolOptions(directory));
    await spool.append('bulk', [message(9)]);
    await spool.seal();
    return [before, sealedIn(spool)[0]?.sequence ?? 0];
  }

  const files = ['sequence', 'sequence.copy', 'done'];
  const harms: readonly (readonly [string, (directory: string) => Promise<void>])[] = [
    ['one file is empty', (directory) => writeFile(join(directory, 'sequence'), '')],
    [
      'one file is rubbish',
      (directory) => writeFile(join(directory, 'sequence.copy'), '9999999999 00000000\n'),
    ],
    [
      'both are torn',
      async (directory) => {
        await writeFile(join(directory, 'sequence'), '6');
        await writeFile(join(directory, 'sequence.copy'), Buffer.alloc(20));
      },
    ],
    [
      'everything is torn, the journal of uploads too',
      async (directory) => {
        for (const name of files) await writeFile(join(directory, name), Buffer.alloc(20));
      },
    ],
    [
      'only the journal of uploads is left',
      async (directory) => {
        for (const name of files.slice(0, 2)) await rm(join(directory, name));
      },
    ],
  ];
  for (const [what, harm] of harms) {
    it(`never repeat, although all is uploaded and ${what}`, async (t) => {
      const [before, after] = await sequenceAfter(t, harm);
      assert.ok(after > before, `${after} after ${before}`);
      assert.ok(after < 9_000_000_000);
    });
  }
});
