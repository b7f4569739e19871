import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * A run that leaves nothing behind, however it ends: it has its own processes and mounts, which the kernel ends with it, and its own
 * temporary directory, which is removed then; loop devices that are noted in it are detached.
 */
export interface AloneRun {
  /** Goes before a command and its arguments. */
  readonly under: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** After the run, also after one that was killed. */
  readonly cleanUp: () => void;
}

/** Only for root. */
export function aloneRun(): AloneRun {
  const directory = mkdtempSync(join(tmpdir(), 'ota-crash-'));
  // Disks lie in memory.
  const inMemory = join('/dev/shm', basename(directory));
  mkdirSync(inMemory, { recursive: true });
  return {
    under: ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
    env: { TMPDIR: directory, CRASH_MEMORY: inMemory },
    cleanUp: () => {
      // The proofs note what they attach, and take the note away when they detach it.
      for (const name of readdirSync(directory).filter((one) => /^ota-crash-loop\d+$/.test(one))) {
        spawnSync('losetup', ['--detach', `/dev/${name.slice('ota-crash-'.length)}`]);
      }
      for (const path of [directory, inMemory]) rmSync(path, { recursive: true, force: true });
    },
  };
}
