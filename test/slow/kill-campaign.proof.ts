import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { UpdateWorld } from '../support/update-world.ts';

const kills = Number(process.env['KILLS'] ?? 25);
const script = join(import.meta.dirname, '../../scripts/bench/update-once.ts');

/** Bytes that cannot be compressed, the same in every run. */
function noise(seed: number, bytes: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < bytes; i++) blocks.push(createHash('sha256').update(`${seed}/${i}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** Reproducible numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`an update that is killed ${kills} times`, () => {
  it('ends identical to the image and has cost at most 1.02 times the bytes of one clean run', async (t) => {
    const random = randomFrom(Number(process.env['SEED'] ?? 1));
    const world = await UpdateWorld.create(t);
    const spec: Record<string, Buffer> = {};
    for (let i = 0; i < 3000; i++)
      spec[`files/${i % 50}/${i}`] = noise(i, Math.round(random() ** 3 * 60_000));
    for (let i = 0; i < 6; i++) spec[`large/${i}`] = noise(10_000 + i, 4_000_000 + i * 1_000_000);
    for (let i = 0; i < 6; i++)
      spec[`text/${i}`] = Buffer.concat([noise(20_000 + i, 3_000_000), Buffer.alloc(2_000_000, `${i} `)]);
    await world.publish(spec);
    const { tree, directory, server } = world;
    const run = (): ReturnType<typeof spawn> =>
      spawn(
        process.execPath,
        [
          script,
          tree.activeRoot,
          tree.root,
          tree.work,
          server.origin.href,
          join(directory, 'trust'),
          join(directory, 'state'),
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
    const started = performance.now();
    const [cleanCode] = (await once(run(), 'exit')) as [number];
    const cleanMs = performance.now() - started;
    assert.equal(cleanCode, 0);
    const clean = world.sent;
    await rm(tree.root, { recursive: true });
    await rm(join(directory, 'state'), { recursive: true });
    world.sent = 0;
    let finished = 0;
    for (let i = 0; i < kills; i++) {
      const child = run();
      const exit = once(child, 'exit');
      const moment = new AbortController();
      await Promise.race([exit, after(300 + random() * cleanMs * 0.4, undefined, { signal: moment.signal })]);
      moment.abort();
      if (child.exitCode !== null) finished++;
      child.kill('SIGKILL');
      await exit;
    }
    const { image } = await world.update();
    assert.deepEqual(await world.differences(image), []);
    const ratio = world.sent / clean;
    t.diagnostic(
      `clean ${clean} bytes; with ${kills} kills (${finished} too late) ${world.sent}: ratio ${ratio.toFixed(4)}`,
    );
    assert.ok(ratio <= 1.02, `ratio ${ratio}`);
  });
});
