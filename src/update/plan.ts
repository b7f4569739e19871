import type { StandbyTree } from '#boot/slots.ts';
import { entryKinds, type FileTable } from '#image/file-table.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { CandidateData } from './candidates.ts';
import type { PreparedTree } from './prepared-tree.ts';
import { resourceStates, type SharedState } from './shared-state.ts';

/** Where every file of an image will come from, as far as can be told before reading. Data only. */
export interface DeltaPlan {
  readonly prepared: PreparedTree;
  /** Resources of which no file of their size lies in either slot: to be downloaded for certain. */
  readonly missing: readonly number[];
  /** Resources that probably lie at their own path in the active slot. */
  readonly likely: Uint8Array;
}

/** A standby tree that holds exactly the image, every byte verified. */
export interface StagedTree {
  readonly image: VerifiedImage;
  readonly tree: StandbyTree;
  /** Entries whose owner could not be set because the daemon is not root. */
  readonly unowned: readonly number[];
}

/** Regular files of a table and their bytes; hard-linked names count one by one. */
export function totals(table: FileTable): { readonly files: number; readonly bytes: number } {
  let files = 0;
  let bytes = 0;
  for (let entry = 0; entry < table.entryCount; entry++) {
    if (table.kind(entry) !== entryKinds.regular) continue;
    files++;
    bytes += Math.max(0, table.resourceSize(table.resource(entry)));
  }
  return { files, bytes };
}

/** Decides from sizes and paths alone what is worth reading and what is certainly missing. Pure. */
export function planPlacing(
  state: SharedState,
  active: CandidateData,
): { readonly missing: number[]; readonly likely: Uint8Array } {
  const { table } = state;
  const available = new Set<number>();
  for (let i = 0; i < active.count; i++) available.add(active.sizes[i] ?? -1);
  const likely = new Uint8Array(table.resourceCount);
  for (let i = active.strays; i < active.count; i++) {
    const entry = active.entries[i] ?? -1;
    if (entry >= 0) likely[table.resource(entry)] = 1;
  }
  const missing: number[] = [];
  for (let resource = 0; resource < table.resourceCount; resource++) {
    if (state.resourceState(resource) !== resourceStates.wanted) continue;
    const size = table.resourceSize(resource);
    if (size > 0 && !available.has(size)) missing.push(resource);
  }
  return { missing, likely };
}
