/** Where the bytes of a file come from: a real file of this machine, or a few lines of text. */
export type FileContent = { readonly file: string } | { readonly text: string };

interface Owned {
  /** Absolute path in the slot, never "/". */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

/** One entry of a release's tree. Parents come before what lies in them, and a file before its other names. */
export type TreeEntry =
  | (Owned & { readonly kind: 'directory'; readonly mode: number })
  | (Owned & { readonly kind: 'file'; readonly mode: number; readonly content: FileContent })
  | (Owned & { readonly kind: 'symlink'; readonly target: string })
  /** Another name of the file at `to`. */
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

type Owner = Pick<Owned, 'uid' | 'gid'>;

const root: Owner = { uid: 0, gid: 0 };

/** Collects the entries of a tree. Adds the directories that a path needs; the last entry of a path counts. */
export class Tree {
  readonly #entries = new Map<string, TreeEntry>();

  directory(path: string, mode = 0o755, owner = root): void {
    this.#parents(path);
    this.#entries.set(path, { kind: 'directory', path, mode, ...owner });
  }

  file(path: string, content: FileContent, mode = 0o644, owner = root): void {
    this.#parents(path);
    this.#entries.set(path, { kind: 'file', path, mode, content, ...owner });
  }

  symlink(path: string, target: string): void {
    this.#parents(path);
    this.#entries.set(path, { kind: 'symlink', path, target, ...root });
  }

  /** Gives the file at `to`, which is there already, another name. */
  link(path: string, to: string): void {
    this.#parents(path);
    this.#entries.set(path, { kind: 'link', path, to });
  }

  /** In an order that does not depend on how the tree was put together, other names of files last. */
  entries(): readonly TreeEntry[] {
    const sorted = [...this.#entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const links = sorted.filter((entry) => entry.kind === 'link');
    return [...sorted.filter((entry) => entry.kind !== 'link'), ...links];
  }

  #parents(path: string): void {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (parent !== '' && !this.#entries.has(parent)) this.directory(parent);
  }
}
