import { constants, copyFile, rm } from 'node:fs/promises';
import { OtaFailure } from '#domain/failure.ts';
import type { HttpSource } from '#net/http-source.ts';
import { candidatePath } from './candidates.ts';
import { Downloads } from './downloads.ts';
import { flushEarly } from './early-flush.ts';
import type { DeltaPlan, StagedTree } from './plan.ts';
import { type PreparedTree, withCrew } from './prepared-tree.ts';
import { resourceStates } from './shared-state.ts';
import type { StepContext } from './steps.ts';
import type { LinkJob } from './worker/links.ts';
import type { ScanJob } from './worker/scan.ts';
import type { SealJob } from './worker/standby.ts';

/**
 * Fills a prepared tree: workers copy what the active slot has, recognised by hash wherever it lies, while the main
 * thread downloads what it certainly does not have; then what turned out to be missing, then hard links.
 * Errors: OtaFailure image_invalid, network …; what is written so far stays for the next attempt.
 */
export async function placeFiles(
  plan: DeltaPlan,
  source: HttpSource,
  connections: number,
  { meter, signal }: StepContext,
): Promise<StagedTree> {
  const { prepared } = plan;
  const { crew, state, active, tree, image } = prepared;
  meter.enter('DOWNLOADING_OTA_FILES', 'REGULAR');
  return withCrew(crew, state, signal, async () => {
    await using downloads = await Downloads.open(prepared, source, connections, meter);
    await downloads.placeLeftovers();
    const stop = new AbortController();
    const inner = AbortSignal.any([signal, stop.signal]);
    const reflink = await canReflink(prepared);
    const scan = async (from: number, to: number): Promise<void> => {
      meter.stopwatch('copy').enter();
      try {
        state.seek('nextCandidate', from);
        await crew.all({
          kind: 'scan',
          list: active,
          root: tree.activeRoot,
          to,
          reflink,
          dryRun: false,
        } satisfies ScanJob);
      } finally {
        meter.stopwatch('copy').leave();
      }
    };
    const copying = async (): Promise<void> => {
      await scan(0, active.strays);
      // No stray file has it, and nothing likely either: ask for it while the likely files are copied.
      const unlikely = stillWanted(plan).filter((resource) => plan.likely[resource] !== 1);
      const early = downloads.fetch(unlikely, inner);
      early.catch((error: unknown) => stop.abort(error));
      await scan(active.strays, active.count);
      await downloads.fetch(stillWanted(plan), inner);
      await early;
    };
    const placing = new AbortController();
    const placedBytes = (): number => state.total('copyBytes') + state.total('downloadBytes');
    const flushing = flushEarly(tree.root, placedBytes, AbortSignal.any([inner, placing.signal]));
    const first = downloads.fetch(plan.missing, inner);
    await Promise.all(
      [first, copying()].map((work) =>
        work.catch((error: unknown) => {
          // The other half must not go on writing.
          stop.abort(error);
          state.stop();
          throw error;
        }),
      ),
    );
    placing.abort();
    await flushing;
    assertComplete(plan);
    meter.enter('APPLYING_UPDATE', 'REGULAR');
    meter.stopwatch('link').enter();
    state.seek('nextEntry', 0);
    await crew.all({ kind: 'link' } satisfies LinkJob);
    meter.stopwatch('link').leave();
    await crew.one({ kind: 'seal' } satisfies SealJob);
    signal.throwIfAborted();
    await crew[Symbol.asyncDispose]();
    await rm(tree.work, { recursive: true, force: true });
    return { image, tree, unowned: entriesWith(state.data.unowned) };
  });
}

function entriesWith(flags: Uint8Array): number[] {
  const entries: number[] = [];
  for (let entry = 0; entry < flags.length; entry++) if (flags[entry] === 1) entries.push(entry);
  return entries;
}

function stillWanted({ prepared: { state } }: DeltaPlan): number[] {
  const wanted: number[] = [];
  for (let resource = 0; resource < state.table.resourceCount; resource++) {
    if (state.resourceState(resource) === resourceStates.wanted) wanted.push(resource);
  }
  return wanted;
}

/** Every resource has been placed: nothing else may be activated. */
function assertComplete({ prepared: { state, image } }: DeltaPlan): void {
  for (let resource = 0; resource < state.table.resourceCount; resource++) {
    if (state.resourceState(resource) === resourceStates.placed) continue;
    const path = image.table.path(image.table.resourceEntry(resource));
    throw new OtaFailure('placing', `${path} was neither found nor downloaded`);
  }
}

/** Tries out on one file whether the active slot's blocks can be shared with the standby slot. */
async function canReflink({ tree, state, active }: PreparedTree): Promise<boolean> {
  const sample = active.sizes.findIndex((size) => size >= 4096);
  if (sample < 0) return false;
  const probe = `${tree.work}/reflink-probe`;
  try {
    const from = tree.activeRoot + candidatePath(active, state.table, sample);
    await copyFile(from, probe, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    await rm(probe, { force: true });
  }
}
