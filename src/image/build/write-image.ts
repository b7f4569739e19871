import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageError } from '#image/image-error.ts';
import { type CompressionOptions, ContentStore } from './content-store.ts';
import { ignoreRules } from './ignore-rules.ts';
import { filesOf, type ImageFile, placePlainFiles, totalSize, writeMetafiles } from './image-files.ts';
import { type ImageLayout, ImageTree, type Inode } from './image-tree.ts';
import { layoutNames } from './layout-names.ts';
import { checkPersistent } from './metafile-lines.ts';
import { claimDirectory } from './output-directory.ts';
import { type Signer, signImage } from './sign.ts';
import type { ImageSource, Problem, ProblemKind } from './source.ts';

export interface BuildOptions {
  readonly source: ImageSource;
  /** Becomes the image's directory: must not exist or be empty. */
  readonly output: string;
  /** @default zstd level 10 for files of 16 KiB and more that get smaller by a ratio of 1.25 */
  readonly compression?: Partial<CompressionOptions>;
  /** Lines in .gitignore syntax, relative to the source's root. @default none */
  readonly ignore?: readonly string[];
  /** Absolute paths, no patterns, that a vehicle keeps over an update. @default none */
  readonly persistents?: readonly string[];
  /** What the format cannot carry and may be lost. @default nothing: the build is refused */
  readonly drop?: Iterable<ProblemKind>;
  /** Signs the image. @default not signed; `signImage` can do it later */
  readonly signer?: Signer;
  /** Called now and then while contents are read. */
  readonly onProgress?: (files: number, bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What was built, and what of the source is not in it. */
export interface BuildReport {
  readonly directories: number;
  readonly symlinks: number;
  readonly regulars: number;
  readonly hardLinkGroups: number;
  /** Uncompressed bytes of all regular files, each name counted. */
  readonly totalBytes: number;
  /** Different contents, their uncompressed bytes and their bytes in the image. */
  readonly contents: number;
  readonly contentBytes: number;
  readonly storedBytes: number;
  readonly compressedContents: number;
  readonly persistents: readonly string[];
  readonly addedDirectories: number;
  /** What got lost, as `drop` allowed. */
  readonly dropped: readonly Problem[];
  readonly notes: readonly string[];
}

/** The source holds what the image cannot carry. `problems` tells each; none of their kinds was allowed to be dropped. */
export class NotRepresentable extends ImageError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(
      'source_not_representable',
      `${problems.length} things in the source cannot be carried by the image`,
    );
    this.problems = problems;
  }
}

const defaultCompression: CompressionOptions = {
  enabled: true,
  level: 10,
  minSize: 16 * 1024,
  minRatio: 1.25,
};

/**
 * Builds an OTA image, and signs it when it is given a signer, from a directory or a tar stream. The same source and options give the same
 * bytes. On failure the output is left as it was.
 *
 * Errors: NotRepresentable (an ImageError); ImageError with source_unreadable, path_below_non_directory,
 * options_invalid.
 */
export async function buildImage(options: BuildOptions): Promise<BuildReport> {
  const compression = { ...defaultCompression, ...options.compression };
  const signal = options.signal ?? new AbortController().signal;
  const persistents = [...(options.persistents ?? [])];
  persistents.forEach(checkPersistent);
  const ignored = ignoreRules(options.ignore ?? []);
  await using output = await claimDirectory(options.output, options.source.root);
  const contents = join(output.path, '.contents');
  const compressed = join(output.path, layoutNames.compressed);
  const plain = join(output.path, layoutNames.plain);
  for (const folder of [contents, plain]) await mkdir(folder);
  if (compression.enabled) await mkdir(compressed);
  await using store = new ContentStore(contents, compressed, compression, signal);
  const storeFile = storing(store, options.onProgress, signal);

  const tree = new ImageTree();
  for await (const entry of options.source.entries(ignored, signal)) {
    const file = tree.add(entry);
    if (file !== undefined && !options.source.rereadable) await storeFile(file);
  }
  const layout = tree.settle(ignored);
  refuseProblems(layout.problems, new Set(options.drop));
  for (const { inode } of layout.regulars) await storeFile(inode);
  await store.settle();

  const files = filesOf(layout);
  store.prune(new Set(files.map((file) => file.content)));
  placePlainFiles(files, store, plain);
  await rm(contents, { recursive: true });
  await writeMetafiles(output.path, layout, files, persistents);
  if (options.signer !== undefined) await signImage(output.path, options.signer);
  signal.throwIfAborted();
  output.keep();
  return reportOf(layout, files, persistents, tree.notes);
}

/** Stores a file's content, unless another of its names has brought it already. */
function storing(
  store: ContentStore,
  onProgress: BuildOptions['onProgress'],
  signal: AbortSignal,
): (file: Inode) => Promise<void> {
  let files = 0;
  let bytes = 0;
  return async (file) => {
    if (file.stored !== undefined) return;
    file.stored = await store.add(file.content(signal));
    files += 1;
    bytes += file.stored.size;
    onProgress?.(files, bytes);
  };
}

function refuseProblems(problems: readonly Problem[], drop: ReadonlySet<ProblemKind>): void {
  const refused = problems.filter((problem) => !drop.has(problem.kind));
  if (refused.length > 0) throw new NotRepresentable(refused);
}

function reportOf(
  layout: ImageLayout,
  files: readonly ImageFile[],
  persistents: readonly string[],
  notes: readonly string[],
): BuildReport {
  const contents = new Set(files.map((file) => file.content));
  let contentBytes = 0;
  let storedBytes = 0;
  let compressedContents = 0;
  for (const content of contents) {
    contentBytes += content.size;
    storedBytes += content.storedSize;
    if (content.compressed) compressedContents += 1;
  }
  return {
    directories: layout.directories.length,
    symlinks: layout.symlinks.length,
    regulars: files.length,
    hardLinkGroups: files.reduce((most, file) => Math.max(most, file.group ?? 0), 0),
    totalBytes: totalSize(files),
    contents: contents.size,
    contentBytes,
    storedBytes,
    compressedContents,
    persistents,
    addedDirectories: layout.addedDirectories,
    dropped: layout.problems,
    notes,
  };
}
