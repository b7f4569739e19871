import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { entryKinds } from '#image/file-table.ts';
import { CandidateCollector, type CandidateData, candidatePath } from '#update/candidates.ts';
import type { SharedState } from '#update/shared-state.ts';
import { bufferBytes, countPlaced, digestOf, placeBytes, placeFile, placesOf } from './place.ts';
import type { SlotWriter } from './slot-writer.ts';
import { regularAt, statOf, wantedSizes } from './walk.ts';

/** Removes from the standby slot what the image does not have, and lists the files that are worth hashing. */
export interface ClearJob {
  readonly kind: 'clear';
}

export interface ClearResult {
  readonly list: CandidateData;
  /** Directories that the image does not have; removed once their files were looked at. */
  readonly doomed: readonly string[];
}

/** Hashes the listed files where they lie: right ones stay, others that are wanted are put aside, the rest goes. */
export interface KeepJob {
  readonly kind: 'keep';
  readonly list: CandidateData;
  /** Where wanted content is put aside, named by its digest. */
  readonly aside: string;
}

/** Makes directories and symlinks of the image. One worker does it, in the image's order. */
export interface SkeletonJob {
  readonly kind: 'skeleton';
  readonly doomed: readonly string[];
}

/** Completes the resources of which a file lies in the standby slot already. */
export interface AdoptJob {
  readonly kind: 'adopt';
  /** Where content was put aside; undefined when there is none. */
  readonly aside: string | undefined;
}

/** Sets the final mode and owner of all directories, when nothing is written below them any more. */
export interface SealJob {
  readonly kind: 'seal';
}

const sliceSize = 16;

export function clear(state: SharedState, writer: SlotWriter, reserved: readonly string[]): ClearResult {
  const { table } = state;
  const sizes = wantedSizes(table);
  const found = new CandidateCollector(table);
  const doomed: string[] = [];
  const visit = (directory: string): void => {
    const full = writer.root + directory;
    // Left without permission by an image that was installed as an ordinary user.
    if (directory !== '') chmodSync(full, 0o755);
    for (const item of readdirSync(full, { withFileTypes: true, encoding: 'buffer' })) {
      const name = item.name.toString();
      const path = `${directory}/${name}`;
      if (!Buffer.from(name).equals(item.name)) {
        // A name that is no UTF-8 cannot be in the image.
        rmSync(Buffer.concat([Buffer.from(`${full}/`), item.name]), { recursive: true, force: true });
        state.count('removed', 1);
        continue;
      }
      if (directory === '' && item.isDirectory() && reserved.includes(name)) continue;
      const entry = table.find(path);
      const kind = entry < 0 ? undefined : table.kind(entry);
      if (item.isDirectory()) {
        visit(path);
        if (kind !== entryKinds.directory && !isImplied(path)) doomed.push(path);
      } else if (item.isFile()) {
        const stats = statOf(writer.root + path);
        const size = stats?.size ?? 0;
        const known = kind === entryKinds.regular && table.resourceSize(table.resource(entry)) < 0;
        if (size > 0 && (sizes.has(size) || known)) {
          found.add({ path, entry: regularAt(table, path), size, inode: stats?.ino ?? 0 });
        } else drop(path, entry);
      } else if (!(item.isSymbolicLink() && kind === entryKinds.symlink && keepsTarget(path, entry))) {
        drop(path, entry);
      }
    }
  };
  const drop = (path: string, entry: number): void => {
    unlinkSync(writer.root + path);
    if (entry < 0) state.count('removed', 1);
  };
  const keepsTarget = (path: string, entry: number): boolean => {
    if (readlinkSync(writer.root + path) !== table.target(entry)) return false;
    state.data.placed[entry] = 1;
    return true;
  };
  let implied: ReadonlySet<string> | undefined;
  const isImplied = (path: string): boolean => {
    implied ??= impliedDirectories(state);
    return implied.has(path);
  };
  visit('');
  return { list: found.pack(), doomed };
}

export function keep(state: SharedState, writer: SlotWriter, job: KeepJob): void {
  const { table } = state;
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  for (;;) {
    const from = state.take('nextCandidate', sliceSize);
    if (from >= job.list.count) return;
    for (let i = from; i < Math.min(from + sliceSize, job.list.count); i++) {
      if (state.stopped) return;
      const entry = job.list.entries[i] ?? -1;
      const path = writer.root + candidatePath(job.list, table, i);
      const resource = resourceOf(state, path, buffer);
      const links = statOf(path)?.nlink ?? 0;
      const right = resource >= 0 && entry >= 0 && table.resource(entry) === resource;
      if (right && links === 1 && !state.isLinkedName(entry)) {
        writer.adopt(entry);
        countPlaced(state, entry, 'copy', job.list.sizes[i] ?? 0);
      } else if (resource >= 0) {
        renameSync(path, `${job.aside}/${table.resourceHex(resource)}`);
        // rename(2) leaves the old name when both are links to one inode.
        rmSync(path, { force: true });
      } else unlinkSync(path);
      if (entry < 0) state.count('removed', 1);
    }
  }
}

function resourceOf(state: SharedState, path: string, buffer: Buffer): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    chmodSync(path, 0o600);
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  }
  try {
    return state.table.findDigest(digestOf(state, fd, buffer));
  } finally {
    closeSync(fd);
  }
}

/** Parents of entries that the image does not list; they are made with ordinary modes. */
function impliedDirectories(state: SharedState): ReadonlySet<string> {
  const { table } = state;
  const implied = new Set<string>();
  let last = '';
  for (let entry = 0; entry < table.entryCount; entry++) {
    const path = table.path(entry);
    let parent = path.slice(0, path.lastIndexOf('/'));
    if (parent === last) continue;
    last = parent;
    while (parent !== '' && !implied.has(parent) && table.find(parent) < 0) {
      implied.add(parent);
      parent = parent.slice(0, parent.lastIndexOf('/'));
    }
  }
  return implied;
}

export function skeleton(state: SharedState, writer: SlotWriter, job: SkeletonJob): void {
  const { table } = state;
  for (const path of job.doomed) {
    rmSync(writer.root + path, { recursive: true, force: true });
    state.count('removed', 1);
  }
  const implied = [...impliedDirectories(state)].sort();
  for (const path of implied) mkdirSync(writer.root + path, { recursive: true, mode: 0o755 });
  for (let entry = 0; entry < table.entryCount; entry++) {
    if (state.stopped) return;
    const kind = table.kind(entry);
    if (kind === entryKinds.directory) makeDirectory(writer.pathOf(entry), table.mode(entry));
    else if (kind === entryKinds.symlink) {
      const kept = state.data.placed[entry] === 1;
      if (!kept) symlinkSync(table.target(entry), writer.pathOf(entry));
      writer.adoptSymlink(entry, kept);
      state.data.placed[entry] = 1;
    }
  }
}

/** Searchable and writable for us while it is filled; `seal` sets what the image says. */
function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, (mode & 0o777) | 0o700);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') mkdirSync(path, { recursive: true });
    else if (code !== 'EEXIST') throw error;
  }
}

export function adopt(state: SharedState, writer: SlotWriter, job: AdoptJob): void {
  const { table } = state;
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  for (;;) {
    const from = state.take('nextResource', sliceSize);
    if (from >= table.resourceCount) return;
    for (let resource = from; resource < Math.min(from + sliceSize, table.resourceCount); resource++) {
      if (state.stopped) return;
      adoptResource(state, writer, job, resource, buffer);
    }
  }
}

function adoptResource(
  state: SharedState,
  writer: SlotWriter,
  job: AdoptJob,
  resource: number,
  buffer: Buffer,
): void {
  if (state.table.resourceSize(resource) === 0) {
    // Nothing to look for: empty files are simply made.
    if (!state.claim(resource)) return;
    placeBytes(state, writer, resource, new Uint8Array(0), 'copy');
    state.finish(resource, true);
    return;
  }
  const places = placesOf(state, resource);
  const held = [...state.entriesOf(resource)].find((entry) => state.data.placed[entry] === 1);
  let source = held === undefined ? undefined : writer.pathOf(held);
  if (source === undefined) {
    const [first] = places;
    if (job.aside === undefined) return;
    const aside = `${job.aside}/${state.table.resourceHex(resource)}`;
    const size = statOf(aside)?.size;
    // It may have been put aside by an earlier run that a power cut tore: hash it again.
    if (first === undefined || size === undefined || resourceOf(state, aside, buffer) !== resource) return;
    renameSync(aside, writer.pathOf(first));
    writer.adopt(first);
    countPlaced(state, first, 'copy', size);
    source = writer.pathOf(first);
  }
  if (!state.claim(resource)) return;
  let good = false;
  const fd = openSync(source, constants.O_RDONLY);
  try {
    const digest = placeFile(state, writer, resource, fd, buffer, { inSlot: source });
    good = digest === undefined || state.table.findDigest(digest) === resource;
  } finally {
    closeSync(fd);
    state.finish(resource, good);
  }
}

/** Children first: below a directory without search permission an ordinary user could set nothing any more. */
export function seal(state: SharedState, writer: SlotWriter): void {
  const { table } = state;
  for (let entry = table.entryCount - 1; entry >= 0; entry--) {
    if (table.kind(entry) === entryKinds.directory) writer.adopt(entry);
  }
}
