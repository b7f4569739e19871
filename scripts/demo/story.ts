import { once } from 'node:events';
import { join } from 'node:path';
import { OtaClient } from '#api/client.ts';
import type { CliIo } from '#cli/command.ts';
import { humanBytes, humanCount, humanDuration } from '#cli/render-units.ts';
import { authority } from '#domain/ecu.ts';
import { ensureDashboard } from '../dashboard/build.ts';
import { Accounts } from './accounts.ts';
import { DemoConsole } from './console.ts';
import { DemoError } from './demo-error.ts';
import { consoleHost, makeFleet, rebootExitCode, vehicleHosts } from './fleet.ts';
import { tellHints } from './hints.ts';
import { type ImageServer, startImageServer } from './image-server.ts';
import { runJob, vehicleIsUp } from './job.ts';
import { installedPackages } from './packages.ts';
import { freePort } from './ports.ts';
import { persistents } from './recipe.ts';
import { buildReleases, type Releases } from './releases.ts';
import { openRunDirectory } from './run-directory.ts';
import { mainOf, type Scene } from './scene.ts';
import { type Restart, Supervisor } from './supervisor.ts';
import { openSurroundings } from './surroundings.ts';
import { isParked, showTrip } from './trip.ts';
import { updateEntries } from './update-entries.ts';
import { showUploads } from './uploads.ts';
import { verifySlot } from './verify.ts';
import { newContents, Words } from './words.ts';

export interface DemoOptions {
  readonly project: string;
  /** Holds built releases and the directory of the run. */
  readonly directory: string;
  /** Where the daemons listen, if it is free. */
  readonly port: number;
  /** Ends by itself instead of going on until `signal` fires. */
  readonly once: boolean;
  readonly small: boolean;
  /** Leaves the run's directory for a look into it. */
  readonly keep: boolean;
}

/** Slots of four ECUs, images, and some air. */
const neededBytes = { full: 2_500_000_000, small: 250_000_000 } as const;

/** Where images are served, if it is free. */
const imagePort = 50_080;

/** Where the main ECU serves people, if it is free. */
const usualConsolePort = 8081;
const defaultPort = 50_051;

/** The ECU that is taken back. */
const rolledBack = 'camera';

/**
 * The demo from its beginning to its end. Everything that it started has ended when it returns or throws.
 * Errors: DemoError, and those of the parts that it uses.
 */
export async function tellStory(options: DemoOptions, io: CliIo): Promise<void> {
  const started = performance.now();
  const words = new Words(io);
  await using stack = new AsyncDisposableStack();
  const run = stack.use(
    await openRunDirectory(options.directory, neededBytes[options.small ? 'small' : 'full']),
  );
  if (options.keep) run.keep();

  // Built while releases are made: only the first run does it.
  const page = ensureDashboard(options.project);
  page.catch(() => {});
  const releases = await showReleases(options, join(run.path, 'build'), words, io.signal);
  const server = stack.use(await serveReleases(releases));
  words.chapter(
    `A vehicle of four ECUs, each a daemon of its own that runs release ${releases.first.version}`,
  );
  const port = await choosePort(options, words);
  const surroundings = stack.use(await openSurroundings(options.project, run.path, io.signal));
  const consolePortWish = options.port === defaultPort ? usualConsolePort : options.port + 100;
  const { port: consolePort } = await freePort([consoleHost], consolePortWish);
  const console = await DemoConsole.create(consoleHost, consolePort, run.path);
  const { port: collectPort } = await freePort([consoleHost], options.port + 101);
  const ecus = await makeFleet({
    project: options.project,
    directory: run.path,
    port,
    console,
    release: releases.first,
    trustDirectory: releases.trustDirectory,
    collectPort,
    surroundings,
    signal: io.signal,
  });
  const restarts: Restart[] = [];
  const supervisor = stack.use(
    new Supervisor({
      main: join(options.project, 'src/main.ts'),
      rebootExitCode,
      compileCache: join(options.project, '.cache/compiled'),
      onRestart: (restart) => restarts.push(restart),
    }),
  );
  const signal = AbortSignal.any([io.signal, supervisor.failed]);
  const scene: Scene = {
    directory: run.path,
    ecus,
    releases,
    server,
    supervisor,
    surroundings,
    console,
    words,
    io: withSignal(io, signal),
  };
  try {
    await showVehicle(scene);
    await page;
    await scene.console.page(signal);
    words.tell('the vehicle on a page, with the token of an operator:');
    words.line(console.link);
    await showTrip(scene);
    await showUpdate(scene);
    await showRollback(scene);
    await showUploads(scene, rolledBack);
    if (restarts.some(({ kind }) => kind === 'unexpected')) {
      throw new DemoError('daemon_failed', 'every job was done, but not all daemons kept running');
    }
  } catch (error) {
    if (!io.signal.aborted) {
      run.keep();
      words.line();
      for (const { ecuId, kind, end } of restarts) {
        if (kind === 'unexpected') words.bad(`the daemon of ${ecuId} ended by itself (${end})`);
      }
      words.quiet(`logs and slots are left in ${run.path}`);
    }
    throw signal.aborted ? signal.reason : error;
  }
  words.line();
  const seconds = humanDuration(performance.now() - started);
  words.good(`Everything is as it should be: ${restarts.length} reboots, 0 differences, ${seconds}.`);
  if (options.once) return;
  tellHints(scene, options.project);
  if (!signal.aborted) await once(signal, 'abort');
  supervisor.failed.throwIfAborted();
  words.line();
  words.quiet('the vehicle is being switched off');
}

async function showReleases(
  options: DemoOptions,
  workshop: string,
  words: Words,
  signal: AbortSignal,
): Promise<Releases> {
  words.chapter('Two signed releases, made of the packages that npm has installed');
  const before = performance.now();
  const releases = await buildReleases({
    packages: installedPackages(options.project),
    cache: join(options.directory, `releases-${options.small ? 'small' : 'full'}`),
    workshop,
    small: options.small,
    signal,
  });
  const { first, second, cached } = releases;
  words.releases([first, second]);
  const { contents, bytes } = newContents(first, second);
  words.tell(
    `${second.version} has ${humanCount(contents)} contents (${humanBytes(bytes)}) that ${first.version} does not have`,
  );
  const took = humanDuration(performance.now() - before);
  words.quiet(cached ? 'built by an earlier run, verified now' : `built and signed in ${took}`);
  return releases;
}

function serveReleases({ first, second }: Releases): Promise<ImageServer> {
  const folders = new Map([first, second].map(({ version, imageDirectory }) => [version, imageDirectory]));
  return startImageServer({ folders, host: '127.0.0.1', port: imagePort });
}

async function choosePort(options: DemoOptions, words: Words): Promise<number> {
  const { port, taken } = await freePort(await vehicleHosts(options.project), options.port);
  if (taken !== undefined) {
    words.tell(`${taken.host}:${taken.port} is taken by ${taken.holder}: the daemons listen on port ${port}`);
  }
  return port;
}

async function showVehicle(scene: Scene): Promise<void> {
  const { directory, ecus, server, supervisor, surroundings, words, io } = scene;
  for (const { daemon } of ecus) supervisor.start(daemon);
  using client = new OtaClient(mainOf(ecus));
  await vehicleIsUp(
    client,
    ecus.map(({ ecuId }) => ecuId),
    io.signal,
  );
  words.vehicle(ecus, (ecuId) => supervisor.pid(ecuId));
  words.tell(`images are served at ${server.url.href}`);
  for (const { name, pid } of surroundings.programs) {
    const where = name === 'broker' ? surroundings.broker : surroundings.receiver.href;
    const what = name === 'broker' ? 'its signals come from a VSS broker' : 'diagnostics go to a receiver';
    words.tell(`${what} at ${where} (process ${pid})`);
  }
  words.quiet(`slots, state and logs lie in ${directory}`);
}

async function showUpdate(scene: Scene): Promise<void> {
  const { ecus, releases, server, words, io } = scene;
  const { first, second } = releases;
  const main = mainOf(ecus);
  words.chapter(`One Update request to ${main.ecuId}: all ECUs from ${first.version} to ${second.version}`);
  await using accounts = new Accounts(ecus);
  using client = new OtaClient(main);
  const before = performance.now();
  const job = {
    kind: 'update',
    client,
    host: authority(main),
    ecuIds: ecus.map(({ ecuId }) => ecuId),
    version: second.version,
  } as const;
  const entries = updateEntries(scene, second);
  await runJob({ ...job, send: (requestId, call) => client.update({ entries, requestId }, call) }, io);
  words.line();
  words.tell(`updated in ${humanDuration(performance.now() - before)}, restarts included`);

  words.chapter(
    `Verified: every active slot against release ${second.version}, entry by entry and byte by byte`,
  );
  const verdicts = await Promise.all(ecus.map((ecu) => verifySlot(ecu, second, io.signal)));
  words.verdicts(verdicts);
  words.line();
  words.accounts(
    ecus.map(({ ecuId }) => ({ ecuId, progress: accounts.of(ecuId), served: server.served(ecuId) })),
  );
  words.line();
  words.tell(`kept by every ECU, as the image demands: ${persistents.join(', ')}`);
  if (process.geteuid?.() !== 0) words.quiet('owners were not compared: only root can give files away');
  refuseDifferences(verdicts.flatMap(({ differences }) => differences));
}

async function showRollback(scene: Scene): Promise<void> {
  const { ecus, releases, server, words, io } = scene;
  const { first } = releases;
  const ecu = ecus.find(({ ecuId }) => ecuId === rolledBack);
  if (ecu === undefined) throw new Error(`the vehicle has no ${rolledBack}`);
  const main = mainOf(ecus);
  words.chapter(`Rollback of ${rolledBack}, through its parents`);
  // The main ECU has just booted and must have heard that the vehicle is still parked.
  await isParked(scene);
  using client = new OtaClient(main);
  const before = performance.now();
  const servedBefore = server.served(rolledBack).bytes;
  await runJob(
    {
      kind: 'rollback',
      client,
      host: authority(main),
      ecuIds: [rolledBack],
      version: first.version,
      send: (requestId, call) => client.rollback({ ecuIds: [rolledBack], requestId }, call),
    },
    io,
  );
  const took = humanDuration(performance.now() - before);
  const verdict = await verifySlot(ecu, first, io.signal);
  const fetched = humanBytes(server.served(rolledBack).bytes - servedBefore);
  words.line();
  words.tell(
    `${rolledBack} runs ${verdict.slot.version} from ${verdict.slot.id} after ${took}: ` +
      `${humanCount(verdict.entries)} entries compared, ${humanCount(verdict.differences.length)} differences, ` +
      `${fetched} downloaded`,
  );
  words.differences(verdict);
  refuseDifferences(verdict.differences);
}

function refuseDifferences(differences: readonly unknown[]): void {
  if (differences.length === 0) return;
  throw new DemoError('differs', `${differences.length} differences between slots and their release`);
}

function withSignal(io: CliIo, signal: AbortSignal): CliIo {
  return Object.create(io, { signal: { value: signal } }) as CliIo;
}
