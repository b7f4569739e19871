import { mkdir, rm } from 'node:fs/promises';
import { rolldown } from 'rolldown';

/** What is started by its path; each becomes a file of that name below `dist/run`. */
const entries = {
  main: 'src/main.ts',
  cli: 'src/cli.ts',
  'worker/place-worker': 'src/update/worker/place-worker.ts',
};

/** They find their `.proto` files beside themselves, and so stay where npm put them, with what they depend on. */
const external = [/^@grpc\//, /^grpc-health-check$/];

/**
 * Writes the daemon and the command line, from the sources and the production dependencies, as few files of JavaScript into
 * `directory`: loading a thousand modules takes longer and more memory than all else at a start. Readable, with the path of
 * each source; the same sources give the same bytes. Paths relative to `import.meta.url` hold from `dist/run`, which lies
 * as deep as `src/app`. Errors: those of Rolldown, and its warnings.
 */
export async function writeProgram(root: string, directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await using bundle = await rolldown({
    cwd: root,
    input: entries,
    external,
    platform: 'node',
    // By the name that a package has here, wherever the directory of packages really lies.
    resolve: { symlinks: false },
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  await bundle.write({
    dir: directory,
    format: 'esm',
    entryFileNames: '[name].js',
    // As deep as the entries: paths relative to `import.meta.url` are the same in all of them.
    chunkFileNames: '[name]-[hash].js',
  });
}
