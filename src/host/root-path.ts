import { readlink } from 'node:fs/promises';

/** As many symlinks as Linux follows in one path (path_resolution(7)). */
const maxLinks = 40;

/**
 * Where `path` of a slot lies on this machine when symlinks in its directories are followed as if `root` were "/": a
 * link in a slot can never lead out of it. The last name itself is not followed unless `followLast`.
 */
export async function resolveInRoot(root: string, path: string, followLast = true): Promise<string> {
  const pending = names(path);
  const done: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const name = pending.shift();
    if (name === undefined || name === '.') continue;
    if (name === '..') {
      done.pop();
      continue;
    }
    const here = `${root}/${[...done, name].join('/')}`;
    const target = pending.length > 0 || followLast ? await linkTarget(here) : undefined;
    if (target === undefined) {
      done.push(name);
      continue;
    }
    if (++links > maxLinks) throw new Error(`too many symlinks in ${path}`);
    if (target.startsWith('/')) done.length = 0;
    pending.unshift(...names(target));
  }
  return done.length === 0 ? root : `${root}/${done.join('/')}`;
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
