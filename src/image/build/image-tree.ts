import { posix } from 'node:path';
import { ImageError } from '#image/image-error.ts';
import type { StoredContent } from './content-store.ts';
import { pathProblem, symlinkProblem } from './metafile-lines.ts';
import type { Content, Ignored, Problem, SourceEntry } from './source.ts';

/** One regular file, whatever number of names it has. */
export interface Inode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: Content;
  /** Set once the content lies in the image. */
  stored: StoredContent | undefined;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly problems: readonly Problem[];
}

interface SymlinkNode {
  readonly kind: 'symlink';
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly problems: readonly Problem[];
}

interface RegularNode {
  readonly kind: 'regular';
  readonly inode: Inode;
  readonly problems: readonly Problem[];
}

interface OtherNode {
  readonly kind: 'other';
  readonly problems: readonly Problem[];
}

type Node = DirectoryNode | SymlinkNode | RegularNode | OtherNode;

type Named<T> = T & { readonly path: string };

/** What the image will list, sorted by path so that parents come first and the same source gives the same image. */
export interface ImageLayout {
  readonly directories: readonly Named<DirectoryNode>[];
  readonly symlinks: readonly Named<SymlinkNode>[];
  readonly regulars: readonly Named<RegularNode>[];
  /** What the image does not carry, in the order of the paths. */
  readonly problems: readonly Problem[];
  /** Directories that the source did not list and that were added as 0755, root. */
  readonly addedDirectories: number;
}

const implicitDirectory: DirectoryNode = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, problems: [] };

/**
 * Collects what a source lists and settles it as an extraction would: the last entry of a path wins, and names of one
 * file stay names of one file.
 */
export class ImageTree {
  readonly #nodes = new Map<string, Node>();
  /** Entries whose names cannot even be keys. */
  readonly #unnameable: Problem[] = [];
  readonly #files = new Map<string, Inode>();
  readonly #symlinks = new Map<string, SymlinkNode>();
  readonly notes: string[] = [];

  /** Takes an entry; answers the file when it is a regular file that was not known yet. */
  add(entry: SourceEntry): Inode | undefined {
    if (entry.kind === 'regular') return this.#addRegular(entry);
    if (entry.kind === 'symlink') this.#addSymlink(entry);
    else if (entry.kind === 'link') this.#link(entry.path, entry.to);
    else if (entry.kind === 'note') this.notes.push(entry.text);
    else if (entry.kind === 'directory') {
      const { path, mode, uid, gid, problems = [] } = entry;
      this.#put(path, { kind: 'directory', mode, uid, gid, problems });
    } else if (entry.problem.kind === 'names') this.#unnameable.push(entry.problem);
    else this.#put(entry.problem.path, { kind: 'other', problems: [entry.problem] });
    return undefined;
  }

  /** Decides what the image lists. Errors: ImageError path_below_non_directory. */
  settle(ignored: Ignored): ImageLayout {
    const problems = this.#unnameable.filter((problem) => !ignored(problem.path, false));
    const directories: Named<DirectoryNode>[] = [];
    const symlinks: Named<SymlinkNode>[] = [];
    const regulars: Named<RegularNode>[] = [];
    const seenSymlinks = new Map<SymlinkNode, string>();
    for (const [path, node] of this.#nodes) {
      if (ignored(path, node.kind === 'directory')) continue;
      problems.push(...node.problems.map((problem) => ({ ...problem, path })));
      if (node.kind === 'directory') directories.push({ ...node, path });
      else if (node.kind === 'regular') regulars.push({ ...node, path });
      else if (node.kind === 'symlink') {
        const first = seenSymlinks.get(node);
        if (first !== undefined) {
          problems.push({ kind: 'linked-symlinks', path, reason: `symlink is a hard link of ${first}` });
        }
        seenSymlinks.set(node, first ?? path);
        symlinks.push({ ...node, path });
      }
    }
    const added = this.#parents([...symlinks, ...regulars, ...directories]);
    directories.push(...added);
    return {
      directories: directories.sort(byPath),
      symlinks: symlinks.sort(byPath),
      regulars: regulars.sort(byPath),
      problems: problems.sort(byPath),
      addedDirectories: added.length,
    };
  }

  #addSymlink(entry: Extract<SourceEntry, { kind: 'symlink' }>): void {
    const { path, target, uid, gid } = entry;
    const reason = symlinkProblem(path, target);
    if (reason !== undefined) {
      this.#put(path, { kind: 'other', problems: [{ kind: 'names', path, reason }] });
      return;
    }
    const known = entry.inode === undefined ? undefined : this.#symlinks.get(entry.inode);
    const node = known ?? { kind: 'symlink', target, uid, gid, problems: entry.problems ?? [] };
    if (entry.inode !== undefined) this.#symlinks.set(entry.inode, node);
    this.#put(path, node);
  }

  #addRegular(entry: Extract<SourceEntry, { kind: 'regular' }>): Inode | undefined {
    const { mode, uid, gid, content } = entry;
    const known = entry.inode === undefined ? undefined : this.#files.get(entry.inode);
    const inode = known ?? { mode, uid, gid, content, stored: undefined };
    if (entry.inode !== undefined) this.#files.set(entry.inode, inode);
    this.#put(entry.path, { kind: 'regular', inode, problems: entry.problems ?? [] });
    return known === undefined ? inode : undefined;
  }

  #link(path: string, to: string): void {
    const node = this.#nodes.get(to);
    if (node === undefined || node.kind === 'directory') {
      const reason = node === undefined ? 'which does not come before it' : 'which is a directory';
      throw new ImageError(
        'source_unreadable',
        `hard link ${JSON.stringify(path)} refers to ${JSON.stringify(to)}, ${reason}`,
      );
    }
    this.#put(path, node);
  }

  #put(path: string, node: Node): void {
    const reason = pathProblem(path);
    if (reason !== undefined && node.problems[0]?.kind !== 'names') {
      this.#nodes.set(path, { kind: 'other', problems: [{ kind: 'names', path, reason }] });
    } else {
      this.#nodes.set(path, node);
    }
  }

  /** The directories above these entries that nobody listed. */
  #parents(entries: readonly { readonly path: string }[]): Named<DirectoryNode>[] {
    const added = new Map<string, Named<DirectoryNode>>();
    for (const { path } of entries) {
      for (let parent = posix.dirname(path); parent !== '/'; parent = posix.dirname(parent)) {
        const node = this.#nodes.get(parent);
        if (node?.kind === 'directory' || added.has(parent)) break;
        if (node !== undefined) {
          throw new ImageError(
            'path_below_non_directory',
            `${JSON.stringify(path)} lies below ${JSON.stringify(parent)}, which is no directory in the source`,
          );
        }
        added.set(parent, { ...implicitDirectory, path: parent });
      }
    }
    return [...added.values()];
  }
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
