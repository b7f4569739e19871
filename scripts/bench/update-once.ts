// One update of a standby tree by the engine alone, measured from inside: prints one JSON line.
// Usage: node scripts/bench/update-once.ts ACTIVE STANDBY WORK URL TRUST STATE [WORKERS]
import { mkdir } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { syncFilesystem } from '#host/sync-filesystem.ts';
import { defaultWorkerCount } from '#host/worker-crew.ts';
import { defaultTuning } from '#net/http-tuning.ts';
import { UpdateEngine } from '#update/engine.ts';
import { ProgressMeter } from '#update/progress-meter.ts';

const [active, standby, work, url, trust, state, workers] = process.argv.slice(2);
if (!active || !standby || !work || !url || !trust || !state) throw new Error('six arguments are needed');
const tree = { slot: 'slot_b', root: standby, work, activeRoot: active, reserved: [] } as const;
await using engine = new UpdateEngine({
  slots: {
    look: async () => tree,
    async prepare() {
      await mkdir(standby, { recursive: true });
      await mkdir(work, { recursive: true });
      return tree;
    },
  },
  trustDirectory: trust,
  metadataDirectory: state,
  workers: workers === undefined ? defaultWorkerCount() : Number(workers),
  tuning: defaultTuning,
  proxy: undefined,
  clientVersion: 'bench',
  ownersReport: `${state}/unset-owners.txt`,
  log: { info() {}, warn() {}, error() {} },
});
const lag = monitorEventLoopDelay({ resolution: 5 });
lag.enable();
const marks: Record<string, number> = {};
const started = performance.now();
let before = started;
const mark = (name: string): void => {
  marks[name] = Math.round(performance.now() - before);
  before = performance.now();
  if (process.env['MEMORY'] !== undefined) console.error(name, process.memoryUsage());
};
const meter = new ProgressMeter('bench');
const context = { meter, signal: new AbortController().signal };
const request = {
  version: 'b',
  url: new URL(url),
  cookies: new Map(),
  detail: undefined,
  requestId: 'bench',
};
const image = await engine.verify(request, context);
mark('verify');
const prepared = await engine.prepare(image, context);
mark('prepare');
const plan = await engine.plan(prepared, context);
mark('plan');
const staged = await engine.place(plan, context);
mark('place');
await engine.persist(staged, context);
mark('persist');
await syncFilesystem(standby, context.signal);
mark('sync');
const seconds = (performance.now() - started) / 1000;
lag.disable();
const { copy, link, download, wireBytes, downloadErrors, totalFiles } = meter.snapshot();
const rssMiB = process.resourceUsage().maxRSS / 1024;
const lagMs = { p99: lag.percentile(99) / 1e6, max: lag.max / 1e6 };
console.log(
  JSON.stringify({
    seconds,
    rssMiB,
    lagMs,
    marks,
    copy,
    link,
    download,
    wireBytes,
    downloadErrors,
    totalFiles,
  }),
);
