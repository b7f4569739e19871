import { globSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip, constants as zlib } from 'node:zlib';
import { build } from 'vite';

/** Everything that a browser loads, compressed, in bytes. More, and the build fails. */
export const pageBudgetBytes = 150_000;

/** One built file, in bytes: as it is, and as it goes over the wire. */
export interface BuiltFile {
  /** Relative to `dist/dashboard`. */
  readonly name: string;
  readonly bytes: number;
  readonly brotli: number;
  readonly gzip: number;
}

const output = 'dist/dashboard';
/** What the page is made from. */
const sources = [
  'src/dashboard/page/**/*',
  'src/gen/ota/console/**/*',
  'package-lock.json',
  'scripts/dashboard/*',
];

/**
 * Builds the page into `dist/dashboard`, with a `.br` and a `.gz` beside every file. What is there is replaced as a whole,
 * at the end. Errors: those of Vite; Error when the page is over its budget.
 */
export async function buildDashboard(root: string): Promise<readonly BuiltFile[]> {
  const fresh = join(root, `${output}.${process.pid}`);
  try {
    await build({
      root: join(root, 'src/dashboard/page'),
      base: './',
      configFile: false,
      envDir: false,
      publicDir: false,
      logLevel: 'warn',
      // Its own: the sources on a vehicle are never written to.
      cacheDir: join(root, '.cache/vite'),
      build: {
        outDir: fresh,
        emptyOutDir: true,
        target: ['chrome120', 'firefox121', 'safari17.5'],
        // What is inlined as data: would need a weaker Content-Security-Policy.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
      },
    });
    const names = (await readdir(fresh, { recursive: true, withFileTypes: true }))
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name).slice(fresh.length + 1))
      .toSorted();
    const files = await Promise.all(names.map((name) => compress(fresh, name)));
    const { brotli, gzip: zipped } = wireBytes(files);
    if (Math.max(brotli, zipped) > pageBudgetBytes) {
      throw new Error(
        `the page is ${brotli} bytes with brotli, ${zipped} with gzip: over ${pageBudgetBytes}`,
      );
    }
    await rm(join(root, output), { recursive: true, force: true });
    await rename(fresh, join(root, output));
    return files;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Builds the page when it is missing or older than what it is made from. */
export async function ensureDashboard(root: string): Promise<readonly BuiltFile[]> {
  const built = await stat(join(root, output, 'index.html')).catch(() => undefined);
  if (built !== undefined && built.mtimeMs >= (await newestSource(root))) return describeBuild(root);
  await mkdir(join(root, 'dist'), { recursive: true });
  return buildDashboard(root);
}

/** What goes over the wire when a browser loads everything. */
export function wireBytes(files: readonly BuiltFile[]): { readonly brotli: number; readonly gzip: number } {
  return {
    brotli: files.reduce((sum, file) => sum + file.brotli, 0),
    gzip: files.reduce((sum, file) => sum + file.gzip, 0),
  };
}

async function newestSource(root: string): Promise<number> {
  const files = globSync(sources, { cwd: root });
  const times = await Promise.all(files.map(async (file) => (await stat(join(root, file))).mtimeMs));
  return Math.max(...times);
}

async function describeBuild(root: string): Promise<BuiltFile[]> {
  const directory = join(root, output);
  const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((item) => item.isFile() && !/\.(?:br|gz)$/.test(item.name))
    .map((item) => join(item.parentPath, item.name).slice(directory.length + 1));
  const size = async (name: string): Promise<number> => (await stat(join(directory, name))).size;
  return Promise.all(
    names.toSorted().map(async (name) => ({
      name,
      bytes: await size(name),
      brotli: await size(`${name}.br`),
      gzip: await size(`${name}.gz`),
    })),
  );
}

/** Both at their best: it is done once, and sent often. */
async function compress(directory: string, name: string): Promise<BuiltFile> {
  const content = await readFile(join(directory, name));
  const [brotli, zipped] = await Promise.all([
    promisify(brotliCompress)(content, {
      params: {
        [zlib.BROTLI_PARAM_QUALITY]: zlib.BROTLI_MAX_QUALITY,
        [zlib.BROTLI_PARAM_SIZE_HINT]: content.length,
      },
    }),
    promisify(gzip)(content, { level: 9 }),
  ]);
  await Promise.all([
    writeFile(join(directory, `${name}.br`), brotli),
    writeFile(join(directory, `${name}.gz`), zipped),
  ]);
  return { name, bytes: content.length, brotli: brotli.length, gzip: zipped.length };
}
