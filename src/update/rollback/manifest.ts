import { join } from 'node:path';
import { z } from 'zod';
import { readSmallJson, removeDurably, writeDurably } from '#host/durable-file.ts';
import { transactionFolder } from './carried-paths.ts';

/** One place in the old release that a rollback replaces. Paths are relative to its root. */
export interface ManifestEntry {
  readonly at: string;
  /** Whether the old release had something there. */
  readonly had: boolean;
  /** Directories above it that the old release did not have, outermost first. */
  readonly parents: readonly string[];
}

/** What carrying files back has come to. The numbers of the entries are the names in `old/` and `new/`. */
export interface Manifest {
  /** `staging`: nothing of the old release was touched. `applying`: some of it may have been. `applied`: all of it. */
  readonly state: 'staging' | 'applying' | 'applied';
  readonly entries: readonly ManifestEntry[];
}

const wellFormed = z
  .string()
  .refine((path) => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..'));
const schema = z.object({
  format: z.literal(1),
  state: z.enum(['staging', 'applying', 'applied']),
  entries: z
    .array(z.object({ at: wellFormed, had: z.boolean(), parents: z.array(wellFormed).max(256) }))
    .max(1024),
});

const maxBytes = 4 * 1024 * 1024;

/** Undefined when there is none, or one that is not ours. */
export async function readManifest(root: string): Promise<Manifest | undefined> {
  const read = schema.safeParse(await readSmallJson(manifestPath(root), maxBytes));
  return read.success ? { state: read.data.state, entries: read.data.entries } : undefined;
}

export async function writeManifest(root: string, { state, entries }: Manifest): Promise<void> {
  await writeDurably(manifestPath(root), JSON.stringify({ format: 1, state, entries }), 0o600);
}

export async function removeManifest(root: string): Promise<void> {
  await removeDurably(manifestPath(root));
}

function manifestPath(root: string): string {
  return join(root, transactionFolder, 'manifest.json');
}
