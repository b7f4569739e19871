import { access, link, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CommandError, runCommand } from './command.ts';
import { readAtMost, removeDurably, renameDurably, writeDurably } from './durable-file.ts';
import { syncFilesystem } from './sync-filesystem.ts';

const timeoutMs = 60_000;

/** File systems without a journal: what is flushed is in place. They cannot be frozen. */
const journalFree = ['vfat', 'msdos'];

/** A boot partition as this process sees it. */
export interface BootPartition {
  readonly mountPoint: string;
  /** Type of its file system. */
  readonly type: string;
}

/**
 * Puts everything that was written to a file system to where it belongs. After an fsync it may still lie in the journal
 * only, and boot loaders do not replay journals: after a power cut they would see the state before, or a mixture.
 * Freezing a file system empties its journal. Errors: CommandError.
 */
export async function settle(partition: BootPartition, signal: AbortSignal): Promise<void> {
  if (journalFree.includes(partition.type)) return syncFilesystem(partition.mountPoint, signal);
  // One process, so that nothing of ours can come between and leave it frozen.
  const script = 'trap "" HUP INT TERM; fsfreeze --freeze "$1" || exit 1; fsfreeze --unfreeze "$1"';
  const argv = ['sh', '-c', script, 'sh', partition.mountPoint] as const;
  try {
    const { exitCode, stderr } = await runCommand({ argv: [...argv], timeoutMs }, signal);
    if (exitCode !== 0) {
      throw new CommandError('failed', `${partition.mountPoint} could not be settled by fsfreeze`, stderr);
    }
  } catch (error) {
    await thaw(partition);
    throw error;
  }
}

/** Ends a freeze that a killed run left; nothing happens where there is none. */
export async function thaw(partition: BootPartition): Promise<void> {
  if (journalFree.includes(partition.type)) return;
  const argv = ['fsfreeze', '--unfreeze', partition.mountPoint] as const;
  await runCommand({ argv: [...argv], timeoutMs }, new AbortController().signal).catch(() => {});
}

/**
 * Replaces a small file that a boot loader reads, so that at every moment, with or without the journal, either all of
 * the old or all of the new content is seen: the new file is settled before it gets the name, and the old one exists
 * until that is settled too, so that its blocks are not used for anything else. It is read back. What an interrupted
 * call leaves, `sweepTemporaries` removes. Errors: CommandError, and those of the file system.
 */
export async function replaceSettled(
  partition: BootPartition,
  path: string,
  data: string | Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(data);
  const [directory, name] = [dirname(path), basename(path)];
  const [fresh, old] = [join(directory, `.ota-tmp-new-${name}`), join(directory, `.ota-tmp-old-${name}`)];
  // What an interrupted call kept may be all that a boot loader sees.
  if (await exists(old)) {
    await settle(partition, signal);
    await removeDurably(old);
  }
  try {
    await writeDurably(fresh, bytes);
    await settle(partition, signal);
    await link(path, old).catch(ignoreMissing);
    await renameDurably(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    await rm(old, { force: true });
    throw error;
  }
  await settle(partition, signal);
  await removeDurably(old);
  const written = await readAtMost(path, bytes.length + 1);
  if (written === undefined || !bytes.equals(written)) {
    throw new CommandError('failed', `${path} does not read back as it was written`, '');
  }
}

/** Removes a file that a boot loader may read; its blocks are free only once no boot loader finds it any more. */
export async function removeSettled(
  partition: BootPartition,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  if (!(await exists(path))) return;
  const old = join(dirname(path), `.ota-tmp-old-${basename(path)}`);
  await renameDurably(path, old);
  await settle(partition, signal);
  await removeDurably(old);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** File systems without hard links (vfat) have no journal either: there is nothing to keep. */
function ignoreMissing(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EOPNOTSUPP') throw error;
}
