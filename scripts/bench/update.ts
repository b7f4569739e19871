// Runs one update by a real daemon beside `cp -a` of the new tree and a flush, in turn, and prints medians.
// Usage: npm run bench:update -- [--rounds N] [--cold-rounds N] [--cache DIR] [--workers N]
// Needs root and the Debian packages mmdebstrap, e2fsprogs, nginx-light.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { OtaClient } from '#api/client.ts';
import { Disks } from './disks.ts';
import { type ReferenceWork, referenceWork } from './reference-work.ts';
import { median, missing, run, spread } from './shell.ts';

const port = 50_951;
const httpPort = 50_952;
const rebootExitCode = 10;
const project = resolve(import.meta.dirname, '../..');

interface Measured {
  readonly seconds: number;
  readonly rssMiB: number;
  /** Round-trip milliseconds of Status calls made all the time. */
  readonly statusMs: readonly number[];
  readonly progress: string;
}

function copy(disks: Disks, cold: boolean): number {
  disks.fresh(cold);
  const started = performance.now();
  run('cp', '-a', disks.newTree, join(disks.target, 'slot_b'));
  run('sync', '-f', disks.target);
  return (performance.now() - started) / 1000;
}

async function update(disks: Disks, work: ReferenceWork, cold: boolean, workers: number): Promise<Measured> {
  disks.fresh(false);
  const directory = disks.target;
  const slots = join(directory, 'slots');
  disks.bind(disks.oldTree, join(slots, 'slot_a'));
  await mkdir(join(directory, 'state'));
  await writeFile(join(directory, 'ecu_info.yml'), 'ecu_id: main\nbootloader: directory\n');
  await writeFile(
    join(directory, 'ota.yml'),
    `listen: { host: 127.0.0.1, port: ${port} }
state: { directory: ${directory}/state }
trust: { directory: ${work.trust} }
boot: { directory: { path: ${slots} } }
reboot: { exit_code: ${rebootExitCode} }
workers: { count: ${workers} }
log: { level: warn }
`,
  );
  const main = join(project, 'src/main.ts');
  const daemon = spawn(
    process.execPath,
    [main, join(directory, 'ecu_info.yml'), join(directory, 'ota.yml')],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const exit = once(daemon, 'exit');
  using client = new OtaClient({ host: '127.0.0.1', port });
  const call = { signal: new AbortController().signal, budgetMs: 5000 };
  while (
    !(await client.status(call).then(
      () => true,
      () => false,
    ))
  )
    await after(50);
  if (cold) run('sh', '-c', 'sync; echo 3 > /proc/sys/vm/drop_caches');
  const started = performance.now();
  const url = `http://127.0.0.1:${httpPort}/`;
  const entry = {
    ecuId: 'main',
    version: '2',
    url,
    cookies: '',
    releaseName: '',
    releaseId: '',
    imageId: '',
  };
  const answers = await client.update({ entries: [entry], requestId: '' }, call);
  if (answers[0]?.result !== 'NO_FAILURE') throw new Error(answers[0]?.message);
  const statusMs: number[] = [];
  let rssKiB = 0;
  let progress = '';
  while (daemon.exitCode === null) {
    const asked = performance.now();
    try {
      const own = (await client.status(call)).ecus[0];
      statusMs.push(performance.now() - asked);
      if (own?.failure !== undefined) throw new Error(own.failure.reason);
      const at = own?.progress;
      if (at !== undefined) {
        const { copy: copied, link, download } = at;
        progress = `copied ${copied.files}, linked ${link.files}, downloaded ${download.files} (${at.wireBytes} bytes)`;
      }
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('E')) throw error;
    }
    rssKiB = Math.max(rssKiB, await peakRssKiB(daemon.pid ?? 0));
    await Promise.race([after(100), exit]);
  }
  const seconds = (performance.now() - started) / 1000;
  if (daemon.exitCode !== rebootExitCode) throw new Error(`the daemon ended with ${daemon.exitCode}`);
  return { seconds, rssMiB: rssKiB / 1024, statusMs, progress };
}

async function peakRssKiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

async function startServer(image: string, directory: string): Promise<ReturnType<typeof spawn>> {
  const config = join(directory, 'nginx.conf');
  await writeFile(
    config,
    `daemon off; worker_processes 1; user root; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log;
events { worker_connections 512; }
http { access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
server { listen 127.0.0.1:${httpPort}; root ${image}; } }
`,
  );
  return spawn('nginx', ['-c', config], { stdio: 'inherit' });
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    'cold-rounds': { type: 'string', default: '3' },
    cache: { type: 'string', default: join(project, '.cache/bench') },
    workers: { type: 'string', default: '0' },
  },
});
const lacking = missing(['mmdebstrap', 'mkfs.ext4', 'nginx', 'losetup']);
if (process.geteuid?.() !== 0 || lacking.length > 0) {
  console.error('needs root, and: apt-get install mmdebstrap e2fsprogs nginx-light util-linux');
  process.exit(2);
}
const work = await referenceWork(resolve(values.cache));
using disks = new Disks(join(resolve(values.cache), 'disks'), work.oldTar, work.newTar);
const server = await startServer(work.image, resolve(values.cache));
try {
  for (const [mode, rounds] of [
    ['warm', Number(values.rounds)],
    ['cold', Number(values['cold-rounds'])],
  ] as const) {
    const cold = mode === 'cold';
    if (!cold) {
      // Not counted: fills the caches.
      copy(disks, false);
      await update(disks, work, false, Number(values.workers));
    }
    const copies: number[] = [];
    const updates: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      copies.push(copy(disks, cold));
      updates.push(await update(disks, work, cold, Number(values.workers)));
      console.log(
        `${mode} ${round}: cp ${copies.at(-1)?.toFixed(2)} s, update ${updates.at(-1)?.seconds.toFixed(2)} s`,
      );
    }
    const seconds = updates.map((one) => one.seconds);
    const ratios = seconds.map((time, i) => time / (copies[i] ?? Number.NaN));
    const statusMs = updates.flatMap((one) => one.statusMs);
    console.log(`\n${mode}, median (min-max) of ${rounds}`);
    console.log(`  cp -a and flush      ${spread(copies)} s`);
    console.log(`  update, all of it    ${spread(seconds)} s`);
    console.log(`  update / cp          ${spread(ratios)}`);
    console.log(
      `  peak RSS             ${spread(
        updates.map((one) => one.rssMiB),
        0,
      )} MiB`,
    );
    console.log(
      `  Status round trip    ${median(statusMs).toFixed(1)} ms, worst ${Math.max(...statusMs).toFixed(1)} ms`,
    );
    console.log(`  ${updates.at(-1)?.progress}\n`);
  }
} finally {
  server.kill();
  await once(server, 'exit');
}
