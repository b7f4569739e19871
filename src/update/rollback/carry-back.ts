import { lstat, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OtaFailure } from '#domain/failure.ts';
import { makeDirectoryDurably } from '#host/durable-file.ts';
import { resolveInRoot } from '#host/root-path.ts';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import { readAccountMap } from '#update/account-map.ts';
import { Carrier } from '#update/carrier.ts';
import { isThere } from '#update/places.ts';
import type { CarriedPath, CarryBackBetween } from './carried-paths.ts';
import { carriedPaths, transactionFolder } from './carried-paths.ts';
import type { Manifest, ManifestEntry } from './manifest.ts';
import { readManifest, removeManifest, writeManifest } from './manifest.ts';

/** Going back is not stopped half way. */
const never = new AbortController().signal;

/**
 * Carries declared files of the running release into the old one, all of them or none. Copies are staged beside and
 * flushed, then swapped in by renames; what they replace is kept until the rollback is confirmed (`forgetCarryBack`) or
 * has failed (`undoCarryBack`). May be cut off anywhere: an undo puts back every file.
 * Errors: OtaFailure `rollback_failed`, `standby_slot_full`; the old release is then as it was.
 */
export async function carryBack(between: CarryBackBetween): Promise<void> {
  const { root } = between;
  try {
    await settleLeftover(root);
    const carried = await carriedPaths(between);
    if (carried.length === 0) return;
    await stage(between, carried);
    await swapIn(between, carried);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const undone = await undoCarryBack(root).then(
      () => '',
      (cause: unknown) => `; what was carried could not be taken back: ${messageOf(cause)}`,
    );
    throw new OtaFailure(
      code === 'ENOSPC' || code === 'EDQUOT' ? 'standby_slot_full' : 'rollback_failed',
      `files of the running release could not be carried back: ${message}${undone}`,
      { cause: error },
    );
  }
}

/**
 * Puts back what the old release had before `carryBack`. Does nothing where nothing was carried, and may be cut off and
 * called again. Errors: those of the file system.
 */
export async function undoCarryBack(root: string): Promise<void> {
  const manifest = await readManifest(root);
  if (manifest !== undefined && manifest.state !== 'staging') {
    for (const [index, entry] of manifest.entries.entries()) await putBack(root, index, entry);
    await syncFilesystem(root, never);
  }
  await forgetCarryBack(root);
}

/** The rollback has succeeded: what it replaced is not needed any more. Errors: those of the file system. */
export async function forgetCarryBack(root: string): Promise<void> {
  const folder = join(root, transactionFolder);
  if (!(await isThere(folder))) return;
  // The manifest first: without it the rest means nothing.
  if ((await lstat(folder)).isDirectory()) await removeManifest(root);
  await rm(folder, { recursive: true, force: true });
}

/**
 * What an earlier rollback left. One that was cut off between its renames is undone; one whose renames were all made is
 * long over, or would be replaced by this one.
 */
async function settleLeftover(root: string): Promise<void> {
  const manifest = await readManifest(root);
  await (manifest?.state === 'applying' ? undoCarryBack(root) : forgetCarryBack(root));
}

async function stage({ activeRoot, root }: CarryBackBetween, carried: readonly CarriedPath[]): Promise<void> {
  const folder = join(root, transactionFolder);
  await makeDirectoryDurably(folder, 0o700);
  const entries: ManifestEntry[] = [];
  for (const { at } of carried) {
    entries.push({ at, had: await isThere(join(root, at)), parents: await missingParents(root, at) });
  }
  await writeManifest(root, { state: 'staging', entries });
  for (const name of ['new', 'old', 'gone']) await makeDirectoryDurably(join(folder, name), 0o700);
  const carrier = new Carrier(await readAccountMap(activeRoot, root), never);
  for (const [index, { from }] of carried.entries()) await carrier.copy(from, place(root, 'new', index));
  await syncFilesystem(root, never);
}

async function swapIn(
  { activeRoot, root }: CarryBackBetween,
  carried: readonly CarriedPath[],
): Promise<void> {
  const manifest = await readManifest(root);
  if (manifest === undefined) throw new Error(`${join(root, transactionFolder)} has lost its manifest`);
  const { entries }: Manifest = manifest;
  await writeManifest(root, { state: 'applying', entries });
  const carrier = new Carrier(await readAccountMap(activeRoot, root), never);
  for (const [index, { at }] of carried.entries()) {
    const staged = place(root, 'new', index);
    // Sockets, pipes and devices are not carried.
    if (!(await isThere(staged))) continue;
    const to = join(root, at);
    await carrier.makeParents(activeRoot, root, to);
    if (await isThere(to)) await rename(to, place(root, 'old', index));
    await rename(staged, to);
  }
  await syncFilesystem(root, never);
  await writeManifest(root, { state: 'applied', entries });
}

async function putBack(root: string, index: number, { at, had, parents }: ManifestEntry): Promise<void> {
  const to = join(root, at);
  if ((await resolveInRoot(root, at, false)) !== to) {
    throw new Error(`/${at} does not lie where it was: a directory above it has become a link`);
  }
  const [old, staged] = [place(root, 'old', index), place(root, 'new', index)];
  const isSwapped = had ? await isThere(old) : !(await isThere(staged));
  if (isSwapped) {
    if (await isThere(to)) {
      const gone = place(root, 'gone', index);
      await rm(gone, { recursive: true, force: true });
      await rename(to, gone);
    }
    if (had) {
      await makeDirectoryDurably(dirname(to));
      await rename(old, to);
    }
  }
  for (const parent of parents.toReversed()) {
    await rmdir(join(root, parent)).catch((error: NodeJS.ErrnoException) => {
      // Not made yet, or in use by something else by now.
      if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY' && error.code !== 'ENOTDIR') throw error;
    });
  }
}

async function missingParents(root: string, at: string): Promise<string[]> {
  const names = at.split('/');
  const missing: string[] = [];
  for (let depth = 1; depth < names.length; depth++) {
    const path = names.slice(0, depth).join('/');
    if (!(await isThere(join(root, path)))) missing.push(path);
  }
  return missing;
}

function place(root: string, which: 'new' | 'old' | 'gone', index: number): string {
  return join(root, transactionFolder, which, String(index));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
