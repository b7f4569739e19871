import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { contentsBelow } from './bring-to.ts';
import { runCampaign } from './campaign.ts';
import { converge } from './convergence.ts';
import { CutJudge } from './cut-judge.ts';
import { type Cut, cutsIn, epochsOf, randomFrom } from './cuts.ts';
import { DiskFile, writeDisk } from './disk-file.ts';
import { keepFailures, keptCase, keptDisk, tellFailure } from './kept-cases.ts';
import { memoryDirectory } from './memory-directory.ts';
import { missingParts } from './missing-parts.ts';
import { MountBench } from './mount-bench.ts';
import type { Recording } from './recording.ts';
import { recordStory } from './story.ts';

const cases = Number(process.env['CRASH_CASES'] ?? 5000);
const goingOn = Number(process.env['CRASH_CONVERGE'] ?? 40);
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1_000_000));
const replay = process.env['CRASH_REPLAY'];
const skip = missingParts(['root', 'loop devices', 'recorder']);

describe('a vehicle whose power fails while it updates, boots, goes back and updates again', { skip }, () => {
  it(`comes up whole in the old or the new release after each of ${cases} cuts`, {
    skip: replay !== undefined && 'a kept case is replayed',
  }, async (t) => {
    const directory = memoryDirectory(t);
    const { recording } = await recordStory(t, {
      directory: join(directory, 'disk'),
      chapters: ['update', 'rollback', 'update in place', 'update of the first slot'],
    });
    const result = await runCampaign(recording, {
      cases,
      seed,
      threads: Math.min(4, availableParallelism()),
      directory,
      signal: t.signal,
    });
    t.diagnostic(
      `${result.cases} different disks (seed ${seed}) from ${result.epochs} epochs and ` +
        `${recording.entries.length - recording.start} writes and flushes; ${result.mounts} file systems mounted`,
    );
    const [first] = result.failures;
    if (first !== undefined) {
      const id = keepFailures(`power-loss-${seed}`, recording, result.failures);
      assert.fail(`${result.failures.length} cuts went wrong, the first of them:\n${tellFailure(id, first)}`);
    }
    assert.ok(result.cases >= cases, `only ${result.cases} different disks could be made of this recording`);
    await goOn(t, recording, join(directory, 'going-on'));
  });

  it('replays a kept case', { skip: replay === undefined && 'no case is named by --replay' }, async (t) => {
    const id = replay ?? '';
    const { recording, cut } = keptCase(id);
    const directory = memoryDirectory(t);
    await using judge = await CutJudge.open(recording, join(directory, 'bench'));
    await judge.after(cut, async (image) => writeDisk(keptDisk(id), image.bytes));
    t.diagnostic(`the disk is in ${keptDisk(id)}`);
    const { problems } = await judge.judge(cut);
    assert.deepEqual(problems, [], tellFailure(id, { cut, problems }));
    assert.deepEqual(await problemsOfGoingOn(t, recording, cut, judge, join(directory, 'disk')), []);
  });
});

/** Real daemons on some of the disks, spread over all that happened: each ends with the new release confirmed. */
async function goOn(t: TestContext, recording: Recording, directory: string): Promise<void> {
  const random = randomFrom(seed);
  const epochs = epochsOf(recording.entries, recording.start).filter(({ from, to }) => to > from);
  await using judge = await CutJudge.open(recording, `${directory}-bench`);
  let done = 0;
  for (let i = 0; i < goingOn; i++) {
    const epoch = epochs[Math.floor(((i + random()) * epochs.length) / goingOn)];
    if (epoch === undefined) continue;
    // Past the cuts that lose all or nothing, which are the next epoch's neighbours.
    const cut = cutsIn(epoch, recording.entries, random)
      .drop(Math.floor(random() * 6))
      .next().value;
    if (cut === undefined) continue;
    const problems = await problemsOfGoingOn(t, recording, cut, judge, directory);
    if (problems.length > 0) {
      const failure = { cut, problems };
      assert.fail(tellFailure(keepFailures(`going-on-${seed}`, recording, [failure]), failure));
    }
    done += 1;
  }
  t.diagnostic(`${done} of these disks went on to the new release`);
}

async function problemsOfGoingOn(
  t: TestContext,
  recording: Recording,
  cut: Cut,
  judge: CutJudge,
  path: string,
): Promise<readonly string[]> {
  const wanted = recording.releases.at(-1);
  if (wanted === undefined) return ['the recording has no release'];
  const there = new Set<string>();
  await judge.after(cut, async (image) => {
    writeDisk(path, image.bytes);
    await using bench = await MountBench.open(`${path}-looking`);
    for (const slot of ['slot_a', 'slot_b'] as const) {
      const { problem, seen } = await bench.mount(image.partition(slot), 'replay', async (root) =>
        contentsBelow(root),
      );
      // What has to be made anew holds nothing any more.
      if (problem === undefined) for (const content of seen ?? []) there.add(content);
    }
  });
  using disk = DiskFile.open(path);
  return await converge(t, disk, wanted, there);
}
