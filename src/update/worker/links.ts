import { linkSync, unlinkSync } from 'node:fs';
import type { SharedState } from '#update/shared-state.ts';
import type { SlotWriter } from './slot-writer.ts';

/** Gives hard-linked files their further names, after all leaders are placed. Shared among the workers by entry. */
export interface LinkJob {
  readonly kind: 'link';
}

const sliceSize = 256;

export function link(state: SharedState, writer: SlotWriter): void {
  const { table } = state;
  for (;;) {
    const from = state.take('nextEntry', sliceSize);
    if (from >= table.entryCount) return;
    for (let entry = from; entry < Math.min(from + sliceSize, table.entryCount); entry++) {
      if (state.stopped) return;
      if (table.group(entry) === 0 || !state.isLinkedName(entry)) continue;
      const leader = writer.pathOf(state.leaderOf(table.group(entry)));
      const name = writer.pathOf(entry);
      try {
        linkSync(leader, name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        unlinkSync(name);
        linkSync(leader, name);
      }
      state.data.placed[entry] = 1;
      state.count('linkFiles', 1);
      state.count('linkBytes', Math.max(0, table.resourceSize(table.resource(entry))));
    }
  }
}
