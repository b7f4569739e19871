import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '#config/load.ts';
import { DiagnosticsPipeline } from '#diagnostics/pipeline.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { ReplaySource } from '#diagnostics/sources/replay/replay-source.ts';
import { SignalSources } from '#diagnostics/sources/signal-sources.ts';

/** The diagnostics of one ECU, whose only outside source is a drive that begins with `source.start()`. */
export interface Collection extends AsyncDisposable {
  readonly source: ReplaySource;
  readonly pipeline: DiagnosticsPipeline;
}

/** `paths` are kept by a campaign, every value. */
export async function openCollection(
  drive: { readonly file: string; readonly speed: number; readonly loop: boolean },
  directory: string,
  paths: readonly string[],
): Promise<Collection> {
  const log = { info() {}, warn: console.error, error: console.error };
  mkdirSync(directory, { recursive: true });
  const campaign = join(directory, 'bench.json');
  const signals = paths.map((path) => ({ path, mode: 'every' }));
  await writeFile(campaign, JSON.stringify({ id: 'bench', signals }));
  const { options } = await loadConfig({ env: {}, cwd: directory });
  const store = new SignalStore();
  const source = new ReplaySource({
    ...drive,
    datatypeOf: (path) => store.datatypeOf(path),
    store,
    clock: systemClock,
    log,
  });
  await using stack = new AsyncDisposableStack();
  const sources = stack.use(new SignalSources([source]));
  const pipeline = stack.use(
    await DiagnosticsPipeline.open({
      options: { ...options.diagnostics, campaigns: [campaign], spoolBytes: 4 * 1024 ** 3 },
      stateDirectory: directory,
      ecuId: 'main',
      ecuIds: ['main'],
      otherEcuIds: [],
      host: '127.0.0.1',
      clientVersion: 'bench',
      store,
      sources,
      needsLink: () => false,
      blackBoxes: async () => [],
      log,
    }),
  );
  // Nothing in there keeps a process alive.
  const alive = setInterval(() => {}, 1000);
  stack.defer(() => clearInterval(alive));
  const rest = stack.move();
  return { source, pipeline, [Symbol.asyncDispose]: async () => rest.disposeAsync() };
}
