import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { TreeEntry } from './tree.ts';

/** Only root can give files away; for an ordinary user all of them are its own. */
const setsOwners = process.geteuid?.() === 0;

/** Puts a release into an empty slot, as the factory does that delivers an ECU. The event loop gets its turns. */
export async function writeTree(
  root: string,
  entries: readonly TreeEntry[],
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(root, { recursive: true });
  for (const [index, entry] of entries.entries()) {
    if (index % 64 === 0) await setImmediate(undefined, { signal });
    writeEntry(root, entry);
  }
  // Directories last, children first: what is put into them must not be refused, nor change them again.
  const directories = entries.filter((entry) => entry.kind === 'directory');
  for (const { path, mode, uid, gid } of directories.toReversed()) {
    if (setsOwners) chownSync(root + path, uid, gid);
    chmodSync(root + path, mode);
  }
}

function writeEntry(root: string, entry: TreeEntry): void {
  const path = root + entry.path;
  switch (entry.kind) {
    case 'directory':
      mkdirSync(path, { mode: 0o700 });
      return;
    case 'symlink':
      symlinkSync(entry.target, path);
      if (setsOwners) lchownSync(path, entry.uid, entry.gid);
      return;
    case 'link':
      linkSync(root + entry.to, path);
      return;
    case 'file':
      if ('text' in entry.content) writeFileSync(path, entry.content.text);
      else copyFileSync(entry.content.file, path, constants.COPYFILE_FICLONE);
      // chown clears setuid and setgid.
      if (setsOwners) chownSync(path, entry.uid, entry.gid);
      chmodSync(path, entry.mode);
  }
}
