import type { SeenTree } from '#boot/slots.ts';
import { entryKinds } from '#image/file-table.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { CandidateData } from './candidates.ts';
import type { SpaceNeed } from './layout.ts';
import { persistentBytes } from './persist.ts';
import { totals } from './plan.ts';
import { startCrew, withCrew } from './prepared-tree.ts';
import { createSharedState, resourceStates, type SharedState } from './shared-state.ts';
import { type SpaceBalance, weighSpace } from './space.ts';
import type { ScanJob } from './worker/scan.ts';
import type { MeasureJob, WalkJob } from './worker/walk.ts';

/** Where one regular file of the image would come from. */
export type FileSource = 'copy' | 'link' | 'download';

/** Files and their uncompressed bytes. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** What an update would do and cost, found out by reading both slots and writing nothing. */
export interface UpdatePlan {
  readonly imageDigest: string;
  readonly directories: number;
  readonly symlinks: number;
  readonly total: Amount;
  readonly copy: Amount;
  readonly link: Amount;
  /** Bytes are of the files; on the wire they are fewer where the image holds them compressed. */
  readonly download: Amount;
  /** Bytes and inodes that the standby slot must have room for, and has. */
  readonly space: SpaceBalance;
  readonly persistents: readonly string[];
  /** Source of every regular file, in the image's order. */
  files(): Generator<{ readonly path: string; readonly source: FileSource; readonly bytes: number }>;
}

/**
 * Finds out what an update to `image` would copy, link and download, by hashing what both slots hold. Writes nothing.
 * Errors: the signal's reason; those of the file system.
 */
export async function planUpdate(
  image: VerifiedImage,
  tree: SeenTree,
  workers: number,
  signal: AbortSignal,
): Promise<UpdatePlan> {
  const { table } = image;
  const state = createSharedState(table);
  const crew = startCrew(tree, state, workers);
  const space = await withCrew(crew, state, signal, async () => {
    for (const root of [tree.root, tree.activeRoot]) {
      const list = await crew.one<CandidateData>({ kind: 'walk', root } satisfies WalkJob);
      state.seek('nextCandidate', 0);
      const job: ScanJob = { kind: 'scan', list, root, to: list.count, reflink: false, dryRun: true };
      await crew.all(job);
    }
    const persistent = await persistentBytes(image.persistents, tree.activeRoot);
    const balance = await weighSpace(tree, table, persistent, (layout) =>
      crew.one<SpaceNeed>({ kind: 'measure', work: tree.work, layout } satisfies MeasureJob),
    );
    await crew[Symbol.asyncDispose]();
    return balance;
  });
  return {
    imageDigest: image.digest,
    directories: countKind(state, entryKinds.directory),
    symlinks: countKind(state, entryKinds.symlink),
    total: totals(table),
    ...amounts(state),
    space,
    persistents: image.persistents,
    files: () => fileSources(state),
  };
}

/** Pure: the source of every regular file, once it is known which contents were found. */
function* fileSources(
  state: SharedState,
): Generator<{ readonly path: string; readonly source: FileSource; readonly bytes: number }> {
  const { table } = state;
  for (let entry = 0; entry < table.entryCount; entry++) {
    if (table.kind(entry) !== entryKinds.regular) continue;
    const resource = table.resource(entry);
    yield {
      path: table.path(entry),
      source: sourceOf(state, entry),
      bytes: Math.max(0, table.resourceSize(resource)),
    };
  }
}

function sourceOf(state: SharedState, entry: number): FileSource {
  if (state.isLinkedName(entry)) return 'link';
  const resource = state.table.resource(entry);
  const isFound =
    state.resourceState(resource) === resourceStates.placed || state.table.resourceSize(resource) === 0;
  if (isFound) return 'copy';
  // One place of a content is downloaded, its other places are copied from there.
  const first = state.entriesOf(resource).find((other) => !state.isLinkedName(other));
  return first === entry ? 'download' : 'copy';
}

function amounts(state: SharedState): Record<FileSource, Amount> {
  const sums = {
    copy: { files: 0, bytes: 0 },
    link: { files: 0, bytes: 0 },
    download: { files: 0, bytes: 0 },
  };
  for (const { source, bytes } of fileSources(state)) {
    sums[source].files++;
    sums[source].bytes += bytes;
  }
  return sums;
}

function countKind(state: SharedState, kind: number): number {
  return state.table.data.kinds.reduce((sum, other) => sum + (other === kind ? 1 : 0), 0);
}
