import { isUtf8 } from 'node:buffer';

/** What the image format cannot carry, by the word that `--drop` takes, and what dropping means. */
export const problemKinds = {
  names: 'names and symlink targets that the format cannot write down: the entry is left out',
  devices: 'device nodes: left out',
  fifos: 'named pipes: left out',
  sockets: 'sockets: left out',
  whiteouts: 'whiteouts of layered file systems: left out',
  xattrs: 'extended attributes, ACLs and file capabilities: the file is kept without them',
  'linked-symlinks': 'hard links between symlinks: they become separate symlinks',
  unreadable: 'what cannot be read: a file is left out, a directory is kept empty',
} as const;
export type ProblemKind = keyof typeof problemKinds;

/** One thing in a source that the image would not carry as it is. */
export interface Problem {
  readonly kind: ProblemKind;
  /** Absolute path below the source's root; bytes that are not UTF-8 are shown as `\xNN`. */
  readonly path: string;
  readonly reason: string;
}

interface Owned {
  /** Absolute and normal; never "/". */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** What of this entry gets lost; the entry itself is carried. */
  readonly problems?: readonly Problem[];
}

/** A readable file's content, in order. Of a tar stream it can be read once, before the next entry is asked for. */
export type Content = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** What a source yields, in any order. A later entry with the same path replaces an earlier one. */
export type SourceEntry =
  | (Owned & { readonly kind: 'directory'; readonly mode: number })
  | (Owned & {
      readonly kind: 'symlink';
      readonly target: string;
      /** Equal for all names of one hard-linked symlink. */
      readonly inode?: string | undefined;
    })
  | (Owned & {
      readonly kind: 'regular';
      readonly mode: number;
      /** Equal for all names of one hard-linked file. */
      readonly inode?: string | undefined;
      readonly content: Content;
    })
  /** Another name of the file that lies at `to` by now. */
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  /** Cannot be carried at all. */
  | { readonly kind: 'other'; readonly problem: Problem }
  /** Something the maker of the image has to know; no entry. */
  | { readonly kind: 'note'; readonly text: string };

/** Whether an ignore rule leaves a path out. */
export type Ignored = (path: string, isDirectory: boolean) => boolean;

/** Where an image is built from: a directory, or a tar stream. */
export interface ImageSource {
  /** Whether contents can still be read when all entries have been listed. */
  readonly rereadable: boolean;
  /** The directory that is read; the image must not be written into it. */
  readonly root?: string;
  /**
   * Lists the source. May skip what is ignored, and need not.
   *
   * Errors: ImageError source_unreadable.
   */
  entries(ignored: Ignored, signal: AbortSignal): AsyncIterable<SourceEntry>;
}

/** The text that these bytes are in UTF-8, or undefined when they are not UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/** Shows bytes that are not UTF-8. */
export function showBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7f;
    text += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}
