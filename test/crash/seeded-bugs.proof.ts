import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { seededBugs } from './bugs/seeded-bugs.ts';
import { runCampaign } from './campaign.ts';
import { memoryDirectory } from './memory-directory.ts';
import { missingParts } from './missing-parts.ts';
import { recordStory } from './story.ts';

const seed = Number(process.env['CRASH_SEED'] ?? 1);
const cases = Number(process.env['CRASH_BUG_CASES'] ?? 1200);
const register = join(import.meta.dirname, 'bugs/register.ts');

describe('the campaign of power cuts', { skip: missingParts(['root', 'loop devices', 'recorder']) }, () => {
  for (const { name, chapters } of seededBugs) {
    it(`notices that ${name}`, async (t) => {
      const directory = memoryDirectory(t);
      const { recording } = await recordStory(t, {
        directory: join(directory, 'disk'),
        chapters,
        life: { node: ['--import', register], env: { CRASH_BUG: name } },
      });
      const { failures, cases: judged } = await runCampaign(recording, {
        cases,
        seed,
        threads: Math.min(4, availableParallelism()),
        directory,
        failures: 1,
        signal: t.signal,
      });
      const [first] = failures;
      assert.ok(first !== undefined, `${judged} disks were judged, and nothing was found`);
      t.diagnostic(`after ${judged} disks: ${first.problems.join('; ').slice(0, 300)}`);
    });
  }
});
