import { resolveInRoot } from '#host/root-path.ts';
import { isThere } from '#update/places.ts';

/** The trees between which files are carried back. Both are roots of whole releases. */
export interface CarryBackBetween {
  /** Declared in `persist.back_on_rollback`. */
  readonly paths: readonly string[];
  /** Root of the running release, which is left; only read. */
  readonly activeRoot: string;
  /** Root of the release that is gone back to. */
  readonly root: string;
}

/** One declared path that the running release has. */
export interface CarriedPath {
  readonly path: string;
  /** Where it lies in the running release. */
  readonly from: string;
  /** Where it goes, relative to the root of the old release; links among its directories are followed. */
  readonly at: string;
}

/** Where our own files lie in the old release while a rollback is not confirmed. */
export const transactionFolder = '.ota-rollback';

/**
 * What there is to carry back, each place once. What the running release does not have is left as the old release has it,
 * as when persistent files are carried forward.
 */
export async function carriedPaths({ paths, activeRoot, root }: CarryBackBetween): Promise<CarriedPath[]> {
  const found: CarriedPath[] = [];
  for (const path of paths) {
    const from = await resolveInRoot(activeRoot, path, false);
    if (!(await isThere(from))) continue;
    const at = (await resolveInRoot(root, path, false)).slice(root.length + 1);
    if (at === '' || isWithin(at, transactionFolder)) continue;
    found.push({ path, from, at });
  }
  // One that lies in another comes with it; of two names of one place the last counts.
  return found.filter(
    (one, index) =>
      !found.some(
        (other, place) =>
          place !== index && isWithin(one.at, other.at) && (one.at !== other.at || place > index),
      ),
  );
}

function isWithin(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}
