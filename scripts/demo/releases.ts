import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { directoryAccess } from '#image/build/image-access.ts';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner } from '#image/build/sign.ts';
import type { Content, ImageSource, SourceEntry } from '#image/build/source.ts';
import { buildImage } from '#image/build/write-image.ts';
import type { VerifiedImage } from '#image/image.ts';
import { readLegacyImage } from '#image/legacy/read-image.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import type { InstalledPackage } from './packages.ts';
import {
  persistents,
  type RecipeOptions,
  type ReleaseVersion,
  releaseTree,
  releaseVersions,
} from './recipe.ts';
import type { FileContent, TreeEntry } from './tree.ts';

/** One release: what it holds, and where its signed image lies. */
export interface Release {
  readonly version: ReleaseVersion;
  readonly entries: readonly TreeEntry[];
  readonly imageDirectory: string;
  /** The image's description, read back and verified with the installed certificates. */
  readonly image: VerifiedImage;
  /** Bytes of the image's files, equal contents counted once. */
  readonly storedBytes: number;
}

export interface Releases {
  readonly first: Release;
  readonly second: Release;
  /** Certificates that vehicles install. */
  readonly trustDirectory: string;
  /** Whether they were built by an earlier run. */
  readonly cached: boolean;
}

export interface BuildReleasesOptions extends RecipeOptions {
  readonly packages: readonly InstalledPackage[];
  /** Keeps what was built, by content. */
  readonly cache: string;
  /** Where to build: a directory that does not exist yet, on the cache's file system. */
  readonly workshop: string;
  readonly signal: AbortSignal;
}

/** What a finished build leaves beside the images. */
interface BuildNote {
  readonly storedBytes: Readonly<Record<ReleaseVersion, number>>;
}

/** Changes when images or keys are made in another way, so that the old ones are not taken any more. */
const buildFormat = 1;

/**
 * Builds and signs both releases, or takes them from the cache when the same contents were built before.
 * Errors: DemoError not_installed, ImageError, those of the file system.
 */
export async function buildReleases(options: BuildReleasesOptions): Promise<Releases> {
  const { cache, packages, signal } = options;
  const [one, two] = releaseVersions;
  const trees = {
    [one]: releaseTree(one, packages, options),
    [two]: releaseTree(two, packages, options),
  };
  const home = join(cache, await contentKey([trees[one], trees[two]], signal));
  let note = await readNote(home);
  const cached = note !== undefined;
  if (note === undefined) {
    note = await build(options.workshop, trees, signal);
    await rm(cache, { recursive: true, force: true });
    await mkdir(cache, { recursive: true });
    await rename(options.workshop, home);
  }
  const trustDirectory = join(home, 'trust');
  const open = async (version: ReleaseVersion): Promise<Release> => {
    const imageDirectory = join(home, version);
    const image = await readImage(imageDirectory, trustDirectory, signal);
    return {
      version,
      entries: trees[version],
      imageDirectory,
      image,
      storedBytes: note.storedBytes[version],
    };
  };
  return { first: await open(one), second: await open(two), trustDirectory, cached };
}

async function build(
  directory: string,
  trees: Readonly<Record<ReleaseVersion, readonly TreeEntry[]>>,
  signal: AbortSignal,
): Promise<BuildNote> {
  await mkdir(join(directory, 'trust'), { recursive: true });
  const keys = await makeKeys({ directory: join(directory, 'keys'), chain: 'demo' });
  for (const file of keys.trust) await copyFile(file, join(directory, 'trust', basename(file)));
  const signer = await loadSigner({ certificate: keys.signCertificate, key: keys.signKey });
  const storedBytes: Record<ReleaseVersion, number> = { '1.0': 0, '2.0': 0 };
  for (const version of releaseVersions) {
    const report = await buildImage({
      source: treeSource(trees[version]),
      output: join(directory, version),
      // A fleet's images are built once and compressed well; here somebody waits.
      compression: { level: 1 },
      persistents,
      signer,
      signal,
    });
    storedBytes[version] = report.storedBytes;
  }
  const note: BuildNote = { storedBytes };
  await writeFile(join(directory, 'built.json'), JSON.stringify(note));
  return note;
}

async function readNote(home: string): Promise<BuildNote | undefined> {
  try {
    return JSON.parse(await readFile(join(home, 'built.json'), 'utf8')) as BuildNote;
  } catch {
    return undefined;
  }
}

async function readImage(directory: string, trust: string, signal: AbortSignal): Promise<VerifiedImage> {
  const access = directoryAccess(directory);
  return readLegacyImage({
    baseUrl: access.baseUrl,
    trust: await loadTrustStore(trust),
    fetch: (file, stop) => access.read(file.url, stop),
    now: new Date(),
    signal,
  });
}

/** A tree as the source of an image: nothing has to be laid out on the disk first. */
function treeSource(entries: readonly TreeEntry[]): ImageSource {
  return {
    rereadable: true,
    async *entries() {
      const named = new Set(entries.flatMap((entry) => (entry.kind === 'link' ? [entry.to] : [])));
      for (const entry of entries) yield sourceEntry(entry, named);
    },
  };
}

function sourceEntry(entry: TreeEntry, linked: ReadonlySet<string>): SourceEntry {
  if (entry.kind !== 'file') return entry;
  const { path, mode, uid, gid, content } = entry;
  const inode = linked.has(path) ? path : undefined;
  return { kind: 'regular', path, mode, uid, gid, inode, content: reading(content) };
}

const chunkBytes = 1024 * 1024;

function reading(content: FileContent): Content {
  return async function* (signal) {
    if ('text' in content) {
      yield Buffer.from(content.text);
      return;
    }
    const file = openSync(content.file, 'r');
    try {
      // A buffer of a file's own size: thousands of small files are read.
      let left = fstatSync(file).size;
      while (left > 0) {
        const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, left));
        const length = readSync(file, chunk);
        if (length === 0) return;
        yield chunk.subarray(0, length);
        left -= length;
        if (left > 0) await setImmediate(undefined, { signal });
      }
    } finally {
      closeSync(file);
    }
  };
}

/** Names both trees, every byte included. */
async function contentKey(trees: readonly (readonly TreeEntry[])[], signal: AbortSignal): Promise<string> {
  const known = new Map<string, string>();
  const digestOf = (file: string): string => {
    const digest = known.get(file) ?? createHash('sha256').update(readFileSync(file)).digest('hex');
    known.set(file, digest);
    return digest;
  };
  const key = createHash('sha256').update(`${buildFormat}\n`);
  for (const entries of trees) {
    for (const [index, entry] of entries.entries()) {
      if (index % 64 === 0) await setImmediate(undefined, { signal });
      const content =
        entry.kind === 'file' && 'file' in entry.content ? digestOf(entry.content.file) : undefined;
      key.update(`${JSON.stringify(content === undefined ? entry : { ...entry, content })}\n`);
    }
  }
  return key.digest('hex').slice(0, 16);
}
