import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Shows a file as a block device. Its partitions go with it: without `--partscan` they would outlive it. What is attached is noted in
 * the directory for temporary files, so that a run that was killed can be cleaned up after.
 */
export function attachLoop(file: string): string {
  // Not `--direct-io`: with it, writes of several pages reach a served file with the wrong data (Linux 6.18, QEMU 7.2).
  const args = ['--show', '--find', '--partscan', file];
  const device = execFileSync('losetup', args, { encoding: 'utf8' }).trim();
  writeFileSync(noteOf(device), device);
  return device;
}

/** File systems on it must be unmounted. */
export function detachLoop(device: string): void {
  execFileSync('losetup', ['--detach', device]);
  rmSync(noteOf(device), { force: true });
}

function noteOf(device: string): string {
  return join(tmpdir(), `ota-crash-${basename(device)}`);
}
