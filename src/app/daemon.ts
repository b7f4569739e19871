import { readFile } from 'node:fs/promises';
import { startGrpcServer } from '#api/grpc-server.ts';
import type { VehicleInspection } from '#api/inspection/vehicle-inspection.ts';
import { RemoteEcu } from '#api/remote-ecu.ts';
import { loadConfig } from '#config/load.ts';
import type { Environment } from '#config/option-environment.ts';
import { doubtfulSignals, neededSignals } from '#diagnostics/preconditions/doubtful-signals.ts';
import { SignalGate } from '#diagnostics/preconditions/signal-gate.ts';
import { signalProbe } from '#diagnostics/preconditions/signal-probe.ts';
import { systemClock } from '#diagnostics/signals/clock.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { awaitChildren } from '#ecu/await-children.ts';
import { keepChronicle } from '#ecu/events/chronicle.ts';
import { JournaledVehicle } from '#ecu/events/journaled-vehicle.ts';
import { Orchestrator } from '#ecu/orchestrator.ts';
import { OwnPlanner } from '#ecu/own-planner.ts';
import { RequestsUnderWay } from '#ecu/requests-under-way.ts';
import { pollChildren } from '#ecu/status-poller.ts';
import { StatusStore } from '#ecu/status-store.ts';
import { ServiceManager } from '#host/service-manager.ts';
import { createDaemonLog } from './daemon-log.ts';
import { collectLoadingGarbage } from './loading-garbage.ts';
import { openConsole } from './open-console.ts';
import { openDiagnostics } from './open-diagnostics.ts';
import { openJournal } from './open-journal.ts';
import { configurationFailure, openLocalEcu } from './open-local-ecu.ts';
import { openSources } from './open-sources.ts';
import { createReboot } from './reboot.ts';

/** Where the daemon's configuration is, and how it is told to end. */
export interface DaemonRun {
  /** Path of `ecu_info.yml`; looked for in its usual places otherwise. */
  readonly ecuInfoPath?: string | undefined;
  /** Path of `ota.yml`; looked for in its usual places otherwise. */
  readonly optionsPath?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
  /** Ends the daemon in order. */
  readonly signal: AbortSignal;
}

/** Exit codes of the daemon; the one for a reboot is the option `reboot.exit_code`. */
const daemonExitCodes = {
  /** Ended on request. */
  ended: 0,
  /** Could not start, or went wrong in a way that a new start may mend: the log says how. */
  failed: 1,
} as const;

/** What an answer may take beyond the limit for children: merging, and news of those that accepted. */
const answerMarginMs = 1000;

/**
 * Runs one ECU's daemon until `signal` fires or the ECU has to boot again. Returns the exit code.
 *
 * With a boot control whose reboot is a restart of the daemon, the supervisor must start it again after any exit code.
 */
export async function runDaemon(run: DaemonRun): Promise<number> {
  const config = await loadConfig(run);
  const { ecuInfo, options, listen } = config;
  const log = createDaemonLog(options.log.level, ecuInfo.ecuId);
  for (const problem of config.unknown) log.warn({ problem }, 'unknown option is ignored');
  const ended = Promise.withResolvers<number>();
  const end = (): void => ended.resolve(daemonExitCodes.ended);
  run.signal.addEventListener('abort', end, { once: true });
  if (run.signal.aborted) end();

  try {
    await using stack = new AsyncDisposableStack();
    const manager = stack.use(ServiceManager.take(run.env, log));
    stack.defer(() => run.signal.removeEventListener('abort', end));
    const { secondaries } = ecuInfo;
    // One for all who judge by values or pass them on: preconditions, campaigns, the console.
    const signals = new SignalStore();
    const sources = stack.use(await openSources(options.diagnostics, signals, log));
    sources.want('conditions', neededSignals(options));
    for (const { key, what, mend } of doubtfulSignals(config)) log.warn({ key }, `${what}; ${mend}`);
    const gate = stack.use(new SignalGate(options.preconditions, signals, systemClock));
    const store = new StatusStore({
      ownId: ecuInfo.ecuId,
      childIds: secondaries.map(({ ecuId }) => ecuId),
      availableEcuIds: ecuInfo.availableEcuIds,
      log,
      lostAfterMs: options.children.lostAfterMs,
    });
    const children = secondaries.map((address) =>
      stack.use(
        new RemoteEcu(address, {
          siblings: secondaries.length,
          maxMessageBytes: options.limits.messageBytes,
        }),
      ),
    );
    const { rebootWaitLimitMs, requestTimeoutMs } = options.children;
    const underWay = new RequestsUnderWay();
    const reboot = createReboot(options.reboot, log, () => ended.resolve(options.reboot.exitCode));
    const { local, begin, isAlive, blackBoxes, judgedBoxes } = await openLocalEcu(stack, {
      config,
      otaclientVersion: await ownVersion(),
      log,
      tell: (line) => manager.status(line),
      reboot,
      gate,
      probeSignals: signalProbe(signals, systemClock),
      answered: () => underWay.answered({ limitMs: requestTimeoutMs + answerMarginMs, signal: run.signal }),
      awaitChildren: async ({ signal }) => {
        await awaitChildren(store, log, { signal, limitMs: rebootWaitLimitMs });
      },
    });
    // Behind the lock of the state directory, which opening the own ECU takes.
    const journal = await openJournal(stack, config, await ownVersion(), log);
    stack.defer(store.follow(local));
    stack.defer(keepChronicle(store, journal));
    const polling = new AbortController();
    const polled = pollChildren(
      {
        children,
        store,
        log,
        activeMs: options.children.pollActiveMs,
        idleMs: options.children.pollIdleMs,
        budgetMs: options.children.statusTimeoutMs,
      },
      polling.signal,
    );
    stack.defer(async () => {
      polling.abort();
      await polled;
    });
    const orchestrator = new Orchestrator({
      local,
      children,
      store,
      log,
      childRequestTimeoutMs: requestTimeoutMs,
      underWay,
      ...(options.preconditions.scope === 'vehicle' ? { vehicleGate: gate } : {}),
      ...(config.problem === undefined ? {} : { refusal: configurationFailure(config.problem.message) }),
    });
    const vehicle = new JournaledVehicle(orchestrator, journal);
    const planner = new OwnPlanner({ config, local, clientVersion: await ownVersion(), log });
    const own = { plan: planner.plan.bind(planner), blackBoxes: judgedBoxes };
    const inspection = async (): Promise<VehicleInspection> => {
      const { VehicleInspection: Inspection } = await import('#api/inspection/vehicle-inspection.ts');
      return new Inspection({ own, children, store });
    };
    const server = stack.use(
      await startGrpcServer(vehicle, {
        host: listen.host,
        port: listen.port,
        ownId: ecuInfo.ecuId,
        log,
        maxMessageBytes: options.limits.messageBytes,
        reflection: options.allow.reflection,
        inspection,
      }),
    );
    log.info({ host: listen.host, port: server.port, files: config.files }, 'listening');
    manager.ready(isAlive);
    begin();
    const diagnostics = await openDiagnostics(
      stack,
      config,
      await ownVersion(),
      store,
      signals,
      sources,
      blackBoxes,
      log,
    );
    await openConsole(stack, { config, store, vehicle, inspection, journal, signals, diagnostics, log });
    sources.start();
    stack.use(collectLoadingGarbage());
    const exitCode = await ended.promise;
    manager.stopping();
    log.info({ exitCode }, 'ending');
    return exitCode;
  } catch (error) {
    log.error({ err: error }, 'the daemon cannot go on');
    return daemonExitCodes.failed;
  }
}

/** What Status answers as the version of the client. */
async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
