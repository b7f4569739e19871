import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { PackagedFile } from './contents.ts';

const run = promisify(execFile);

/** Mount points for what `scripts/systemd/ota.service.d/root-image.conf` puts in from the machine. */
const mountPoints = [
  'boot',
  'dev',
  'etc',
  'home',
  'host',
  'opt/ota/client',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr',
  'var',
];
/** As on a Debian with a merged /usr. */
const links = { bin: 'usr/bin', lib: 'usr/lib', lib64: 'usr/lib64', sbin: 'usr/sbin' };

/**
 * Writes a file system for systemd's RootImage=: the package below /opt/ota, and mount points for the parts of the host
 * that it needs (its C library and disk tools among them). Needs `mksquashfs`. The same contents give the same bytes.
 */
export async function writeSquashfs(
  output: string,
  contents: readonly PackagedFile[],
  date: Date,
): Promise<void> {
  const stage = await mkdtemp(join(tmpdir(), 'ota-package-'));
  try {
    await chmod(stage, 0o755);
    for (const path of mountPoints) await mkdir(join(stage, path), { recursive: true, mode: 0o755 });
    for (const [path, target] of Object.entries(links)) await symlink(target, join(stage, path));
    for (const { path, source, executable } of contents) {
      const target = join(stage, 'opt/ota', path);
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      await copyFile(source, target);
      await chmod(target, executable ? 0o755 : 0o644);
    }
    const seconds = String(date.getTime() / 1000);
    const times = ['-mkfs-time', seconds, '-all-time', seconds];
    const options = [
      '-noappend',
      '-no-progress',
      '-quiet',
      '-all-root',
      '-no-xattrs',
      '-comp',
      'zstd',
      ...times,
    ];
    const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
    await run('mksquashfs', [stage, output, ...options], { env, maxBuffer: 1 << 24 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    throw new Error('mksquashfs is missing: install squashfs-tools, or use --no-squashfs', { cause: error });
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
