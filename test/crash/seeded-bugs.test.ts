import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { seededBugs, withBug } from './bugs/seeded-bugs.ts';

const sources = join(import.meta.dirname, '../../src');

describe('seeded bugs', () => {
  // Here and not in the proof, which takes an hour: a source that outruns its bug is noticed by who changes it.
  it('has a place in the sources for every seeded bug', () => {
    for (const bug of seededBugs) {
      for (const file of new Set(bug.changes.map((change) => change.file))) {
        withBug(bug, file, readFileSync(join(sources, file), 'utf8'));
      }
    }
  });
});
