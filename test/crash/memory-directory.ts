import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const tmpfs = 0x01021994;

/** A directory in memory where there is a place for it: disks in it are written and read thousands of times. */
export function memoryDirectory(t: TestContext): string {
  const memory = process.env['CRASH_MEMORY'] ?? '/dev/shm';
  const directory = mkdtempSync(join(isMemory(memory) ? memory : tmpdir(), 'ota-crash-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Containers often have one of 64 MB, which holds no disk. */
function isMemory(path: string): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(path);
    return type === tmpfs && bavail * bsize > 2 * 1024 ** 3;
  } catch {
    return false;
  }
}
