import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { endBeforeRemoval, scratchDirectory } from './scratch-directory.ts';

/** A disk that a test can fill, and make read-only. */
export interface SmallDisk {
  readonly path: string;
  remount(mode: 'ro' | 'rw'): void;
}

/** Why a test that needs a disk of its own has to skip itself; false when it can have one. */
export function smallDiskMissing(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root to mount a tmpfs';
  const path = mkdtempSync(join(tmpdir(), 'ota-test-'));
  try {
    mount(path, 64);
    execFileSync('umount', [path], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs to be allowed to mount a tmpfs';
  } finally {
    rmdirSync(path);
  }
}

/** A new one, which is gone after the test; at `path` if something is to find it there. */
export async function smallDisk(t: TestContext, kilobytes: number, path?: string): Promise<SmallDisk> {
  const place = path ?? join(await scratchDirectory(t), 'disk');
  await mkdir(place, { recursive: true });
  mount(place, kilobytes);
  endBeforeRemoval(t, async () => void execFileSync('umount', ['-l', place]));
  return {
    path: place,
    remount: (mode) => void execFileSync('mount', ['-o', `remount,${mode}`, place]),
  };
}

function mount(path: string, kilobytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', path], { stdio: 'ignore' });
}
