import { hash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TreeSpec } from '../support/update-world.ts';
import { randomFrom } from './cuts.ts';

/** Version of the kernel that a release brings. */
export function kernelOf(version: string): string {
  return `6.1.0-${version}-amd64`;
}

/** Bytes that cannot be compressed, the same in every run. */
function noise(seed: string, bytes: number): Buffer {
  const random = randomFrom(hash('sha256', seed, 'buffer').readInt32LE(0));
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return content;
}

/**
 * A small system: kernel, initrd, accounts, programs with setuid and hard links, libraries. Half of the libraries are
 * the same in all versions, one moves from version to version.
 */
export function releaseTree(version: string): TreeSpec {
  const kernel = kernelOf(version);
  const tree: Record<string, TreeSpec[string]> = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n',
    'etc/group': 'root:x:0:\ndaemon:x:1:\n',
    'etc/os-release': `NAME=Vehicle\nVERSION_ID=${version}\n`,
    'etc/fstab': 'LABEL=slot_a / ext4 defaults 0 1\nLABEL=boot /boot ext4 defaults 0 2\n',
    [`boot/vmlinuz-${kernel}`]: noise(`vmlinuz ${version}`, 150_000),
    [`boot/initrd.img-${kernel}`]: noise(`initrd ${version}`, 120_000),
    'sbin/init': { content: `init ${version}\n`, mode: 0o755 },
    'usr/bin/su': { content: noise('su', 9_000), mode: 0o4755 },
    'usr/bin/vehicle': { content: noise(`vehicle ${version}`, 90_000), mode: 0o755 },
    'usr/bin/vehicle-tool': { link: 'usr/bin/vehicle' },
    'usr/bin/sh': { symlink: 'vehicle-tool' },
    'var/lib/empty': { directory: 0o755 },
    tmp: { directory: 0o1777 },
    'etc/empty.conf': '',
  };
  for (let i = 0; i < 24; i++) {
    const of = i % 2 === 0 ? 'all versions' : version;
    tree[`usr/lib/part-${i}.so`] = noise(`library ${i} of ${of}`, 3_000 + i * 1_700);
  }
  tree[`usr/lib/moved-${version}.bin`] = noise('moved', 60_000);
  return tree;
}

/** One line for everything in a tree, sorted; what `except` names, with all that lies below it, is left out. */
export function manifest(root: string, except: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const inodes = new Map<number, string>();
  const walk = (directory: string): void => {
    for (const name of readdirSync(join(root, directory)).toSorted()) {
      const path = `${directory}/${name}`;
      if (except.includes(path)) continue;
      const full = root + path;
      const stats = lstatSync(full);
      const head = `${path} ${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
      if (stats.isDirectory()) {
        lines.push(`${head} directory`);
        walk(path);
      } else if (stats.isSymbolicLink()) lines.push(`${head} -> ${readlinkSync(full)}`);
      else if (stats.isFile()) {
        const first = inodes.get(stats.ino) ?? path;
        inodes.set(stats.ino, first);
        const linked = stats.nlink > 1 ? ` ${stats.nlink} names, first ${first}` : '';
        lines.push(`${head} ${hash('sha256', readFileSync(full)).slice(0, 20)}${linked}`);
      } else lines.push(`${head} of another kind`);
    }
  };
  walk('');
  return lines;
}

/** Up to five lines in which two manifests differ. */
export function manifestDifferences(found: readonly string[], wanted: readonly string[]): readonly string[] {
  const [have, want] = [new Set(found), new Set(wanted)];
  const extra = found.filter((line) => !want.has(line)).map((line) => `has ${line}`);
  const missing = wanted.filter((line) => !have.has(line)).map((line) => `lacks ${line}`);
  return [...extra, ...missing].slice(0, 5);
}
