import { mkdir, readdir, rm } from 'node:fs/promises';
import type { Slots, StandbyTree } from '#boot/slots.ts';
import { isSha256 } from '#domain/digest.ts';
import { OtaFailure } from '#domain/failure.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import type { FileTable } from '#image/file-table.ts';
import type { VerifiedImage } from '#image/image.ts';
import type { CandidateData } from './candidates.ts';
import type { SpaceNeed } from './layout.ts';
import { persistentBytes } from './persist.ts';
import { totals } from './plan.ts';
import { type PreparedTree, startCrew, withCrew } from './prepared-tree.ts';
import { createSharedState } from './shared-state.ts';
import { checkSpace, weighSpace } from './space.ts';
import type { StepContext } from './steps.ts';
import type { AdoptJob, ClearJob, ClearResult, KeepJob, SkeletonJob } from './worker/standby.ts';
import type { MeasureJob, WalkJob } from './worker/walk.ts';

/** With less room to spare than this, care is taken of the last block. */
const tightBytes = 64 * 1024 * 1024;

/** Where content that lies in the standby slot at a wrong path waits for its place. */
function asideOf(tree: StandbyTree): string {
  return `${tree.work}/aside`;
}

/** Where unfinished downloads keep what has arrived. */
export function partsOf(tree: StandbyTree): string {
  return `${tree.work}/parts`;
}

/**
 * Refuses an image that does not fit, untouched; then makes the standby slot ready for it: keeps what is right in it, puts aside what is wanted elsewhere, removes the
 * rest, makes directories and symlinks. Meanwhile lists the files of the active slot.
 */
export async function prepareTree(
  image: VerifiedImage,
  slots: Pick<Slots, 'look' | 'prepare'>,
  workers: number,
  { meter, signal }: StepContext,
): Promise<PreparedTree> {
  const { table } = image;
  const { files, bytes } = totals(table);
  meter.totalFiles = files;
  meter.totalBytes = bytes;
  const state = createSharedState(table);
  meter.watch(state);
  const seen = await slots.look(signal);
  refuseReserved(table, seen);
  const crew = startCrew(seen, state, workers);
  return withCrew(crew, state, signal, async () => {
    meter.enter('CALCULATING_DELTA', 'DIRECTORY');
    const persistent = await persistentBytes(image.persistents, seen.activeRoot);
    const spareBytes = checkSpace(
      await weighSpace(seen, table, persistent, (layout) =>
        crew.one<SpaceNeed>({ kind: 'measure', work: seen.work, layout } satisfies MeasureJob),
      ),
    );
    const tree = await slots.prepare(signal);
    await mkdir(asideOf(tree), { recursive: true });
    await removeOtherParts(tree, table);
    // The walk keeps one worker busy while the others clear the standby slot.
    const walked = crew.one<CandidateData>({ kind: 'walk', root: tree.activeRoot } satisfies WalkJob);
    walked.catch(() => {});
    const cleared = await crew.one<ClearResult>({ kind: 'clear' } satisfies ClearJob);
    const strangers = cleared.list.entries.reduce((sum, entry) => sum + (entry < 0 ? 1 : 0), 0);
    meter.filesToRemove = state.total('removed') + strangers + cleared.doomed.length;
    if (cleared.list.count > 0) {
      meter.stopwatch('copy').enter();
      state.seek('nextCandidate', 0);
      await crew.all({ kind: 'keep', list: cleared.list, aside: asideOf(tree) } satisfies KeepJob);
      meter.stopwatch('copy').leave();
    }
    // Blocks of removed files are free for new ones only once the file system has recorded the removal.
    if (spareBytes < tightBytes) await syncFilesystem(tree.root, signal);
    await crew.one({ kind: 'skeleton', doomed: cleared.doomed } satisfies SkeletonJob);
    meter.enter('CALCULATING_DELTA', 'SYMLINK');
    state.seek('nextResource', 0);
    const putAside = (await readdir(asideOf(tree))).length > 0;
    await crew.all({ kind: 'adopt', aside: putAside ? asideOf(tree) : undefined } satisfies AdoptJob);
    const active = await walked;
    signal.throwIfAborted();
    return { image, tree, state, crew, active, spareBytes };
  });
}

/** What an update keeps in the slot for its own use would hide what an image has there. */
function refuseReserved(table: FileTable, { root, work }: StandbyTree): void {
  if (!work.startsWith(`${root}/`)) return;
  const path = work.slice(root.length);
  if (table.find(path) < 0) return;
  throw new OtaFailure('image_refused', `the image has ${path}, where updates keep what they work with`);
}

/** Unfinished downloads of other images are of no use any more. */
async function removeOtherParts(tree: StandbyTree, table: FileTable): Promise<void> {
  await mkdir(partsOf(tree), { recursive: true });
  for (const name of await readdir(partsOf(tree))) {
    const wanted = isSha256(name) && table.findDigest(Buffer.from(name, 'hex')) >= 0;
    if (!wanted) await rm(`${partsOf(tree)}/${name}`, { recursive: true, force: true });
  }
}
