import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { planUpdate } from '#update/plan-update.ts';
import { ProgressMeter } from '#update/progress-meter.ts';
import { makeTree, UpdateWorld } from '../support/update-world.ts';

describe('planUpdate', () => {
  it('foretells exactly what the update then does, and writes nothing', async (t) => {
    const world = await UpdateWorld.create(t);
    await makeTree(world.tree.activeRoot, { kept: 'kept', moved: 'moved', old: 'gone', twin: 'twin' });
    await world.publish({
      kept: 'kept',
      'other/place': 'moved',
      twin: 'twin',
      twin2: 'twin',
      fresh: 'fresh',
      'fresh-copy': 'fresh',
      linked: { link: 'fresh' },
      empty: '',
    });
    const signal = new AbortController().signal;
    const meter = new ProgressMeter('2');
    await using engine = world.engine();
    const image = await engine.verify(world.request(), { meter, signal });
    const plan = await planUpdate(image, world.tree, 2, signal);
    assert.deepEqual(await readdir(`${world.directory}/slots`), ['slot_a']);
    const sources = Object.fromEntries([...plan.files()].map(({ path, source }) => [path, source]));
    assert.deepEqual(
      {
        kept: sources['/kept'],
        moved: sources['/other/place'],
        twin2: sources['/twin2'],
        empty: sources['/empty'],
      },
      { kept: 'copy', moved: 'copy', twin2: 'copy', empty: 'copy' },
    );
    const { meter: done } = await world.update();
    const { copy, link, download } = done.snapshot();
    assert.deepEqual(
      [plan.copy, plan.link, plan.download],
      [copy, link, download].map(({ files, bytes }) => ({ files, bytes })),
    );
    assert.deepEqual(plan.download, { files: 1, bytes: 5 });
    assert.deepEqual(plan.link, { files: 1, bytes: 5 });
  });
});
