import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { probeGrpcHealth } from '#api/grpc-health-probe.ts';
import { BootError } from '#boot/boot-error.ts';
import type { Reboot } from '#boot/open-slots.ts';
import { openSlots } from '#boot/open-slots.ts';
import type { Slots } from '#boot/slots.ts';
import type { LoadedConfig } from '#config/load.ts';
import { OtaFailure } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import { BrokenEcu } from '#ecu/broken-ecu.ts';
import type { LocalEcu } from '#ecu/ecu.ts';
import { MachineEcu } from '#ecu/local-ecu.ts';
import type { JudgedBox } from '#ecu/own-inspection.ts';
import { takeInstanceLock } from '#host/instance-lock.ts';
import { resetPlaces } from '#host/last-reset.ts';
import { kernelBootId, systemCourse } from '#host/system-state.ts';
import { defaultWorkerCount } from '#host/worker-crew.ts';
import { defaultTuning } from '#net/http-tuning.ts';
import type { BlackBox } from '#update/black-box/record.ts';
import { readBlackBoxes } from '#update/black-box/store.ts';
import { EcuActor } from '#update/ecu-actor.ts';
import { createEcuSteps } from '#update/ecu-steps.ts';
import { UpdateEngine } from '#update/engine.ts';
import { finalizeStart } from '#update/finalize.ts';
import type { Gate } from '#update/gate.ts';
import { FirstBoot } from '#update/health/first-boot.ts';
import type { SignalProbe } from '#update/health/probe.ts';
import { Journal } from '#update/journal.ts';
import { isSameRelease, Quarantine } from '#update/quarantine.ts';
import { Returns } from '#update/returns.ts';
import { BackCarrier } from '#update/rollback/back-carrier.ts';
import type { UpdateSteps } from '#update/steps.ts';

export interface LocalEcuWiring {
  readonly config: LoadedConfig;
  readonly otaclientVersion: string;
  readonly log: Log;
  readonly reboot: Reboot;
  readonly awaitChildren: UpdateSteps['awaitChildren'];
  /** Whether the vehicle is in a state for an update. */
  readonly gate: Gate;
  /** Judges health checks over signals. */
  readonly probeSignals: SignalProbe;
  /** Resolves when every request that came in has its answer. */
  readonly answered: () => Promise<void>;
  /** What goes on, in one line for people. */
  readonly tell: (line: string) => void;
}

export interface OpenedEcu {
  readonly local: LocalEcu;
  /** Begins to work: on a first boot, to judge it. Called when everything else is up. */
  readonly begin: () => void;
  /** False when nothing but a new start of the daemon helps. */
  readonly isAlive: () => boolean;
  /** The black boxes that the running release keeps, oldest first. */
  readonly blackBoxes: () => Promise<readonly BlackBox[]>;
  /** The same, with whether the releases that they tell of are still quarantined. */
  readonly judgedBoxes: () => Promise<readonly JudgedBox[]>;
}

/**
 * Opens everything that the own ECU needs and puts it on `stack`: lock, slots, journal, engine, machine. What is broken
 * does not stop the daemon: the ECU then says so in its Status and refuses requests.
 * Errors: LockTakenError, when another daemon works on the same state.
 */
export async function openLocalEcu(stack: AsyncDisposableStack, wiring: LocalEcuWiring): Promise<OpenedEcu> {
  const { config, otaclientVersion, log } = wiring;
  const { ecuId } = config.ecuInfo;
  const broken = (failure: OtaFailure): OpenedEcu => {
    log.error({ err: failure }, 'this ECU takes no updates');
    const local = new BrokenEcu(ecuId, otaclientVersion, failure);
    return {
      local,
      begin: () => {},
      isAlive: () => true,
      blackBoxes: async () => [],
      judgedBoxes: async () => [],
    };
  };
  if (config.problem !== undefined) return broken(configurationFailure(config.problem.message));
  const state = config.options.state.directory;
  try {
    await mkdir(state, { recursive: true, mode: 0o700 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return broken(configurationFailure(`state.directory cannot be used: ${why}`));
  }
  stack.use(await takeInstanceLock(join(state, 'daemon.pid')));
  try {
    return await openMachine(stack, wiring);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const code = error instanceof BootError ? 'boot_control_startup' : 'unrecoverable';
    return broken(new OtaFailure(code, why, { cause: error }));
  }
}

/** Every line of a configuration error names its file, line and mend. */
export function configurationFailure(problems: string): OtaFailure {
  return new OtaFailure('configuration_invalid', problems.replaceAll('\n', ' | '));
}

async function openMachine(stack: AsyncDisposableStack, wiring: LocalEcuWiring): Promise<OpenedEcu> {
  const { config, otaclientVersion, log, reboot, awaitChildren, gate, answered } = wiring;
  const { options } = config;
  const state = options.state.directory;
  const slots = stack.use(await openSlots({ config, log }, reboot));
  const journal = await Journal.open(join(state, 'journal.json'));
  const sessionId = journal.entry?.sessionId;
  const bootId = await bootIdOf(slots);
  const returns = new Returns({ slots, log, resetPlaces, bootId });
  const back = new BackCarrier({ slots, paths: options.persist.backOnRollback, log });
  const { start, notice } = await finalizeStart({ slots, journal, returns, back });
  if (notice !== undefined) log.warn({ sessionId }, notice);
  const { proxyUrl, ...download } = options.download;
  const engine = stack.use(
    new UpdateEngine({
      slots,
      trustDirectory: options.trust.directory,
      metadataDirectory: join(state, 'metadata'),
      workers: options.workers.count === 0 ? defaultWorkerCount() : options.workers.count,
      tuning: { ...defaultTuning, ...download },
      clientVersion: otaclientVersion,
      ownersReport: join(state, 'unset-owners.txt'),
      log,
      proxy: proxyUrl === undefined ? undefined : new URL(proxyUrl),
    }),
  );
  const firstBoot = stack.use(
    new FirstBoot({
      slots,
      checks: options.healthChecks,
      options: options.health,
      probeGrpc: probeGrpcHealth,
      probeSignals: wiring.probeSignals,
      bootId,
      course: systemCourse,
      resetPlaces,
      log,
      tell: wiring.tell,
    }),
  );
  const steps = createEcuSteps({
    slots,
    journal,
    engine,
    firstBoot,
    returns,
    back,
    log,
    awaitChildren,
    gate,
    answered,
    onStep: (step) => log.info({ step, sessionId: journal.entry?.sessionId }, `step ${step}`),
  });
  const running = await slots.current();
  log.info({ slot: running.id, version: running.version, start }, `boot control ${slots.bootloader}`);
  const actor = stack.use(
    new EcuActor(steps, start, (error) => log.error({ err: error }, 'the machine has a defect'), gate),
  );
  const allowRollback = options.allow.rollback;
  const ecu = stack.use(
    new MachineEcu({
      id: config.ecuInfo.ecuId,
      otaclientVersion,
      actor,
      running,
      slots,
      allowRollback,
      gate,
      probes: firstBoot.probes,
    }),
  );
  logStatus(ecu, actor, wiring);
  const blackBoxes = async () => (await slots.withArchive('current', 'read', readBlackBoxes)).boxes;
  return {
    local: ecu,
    begin: () => actor.start(),
    isAlive: () => actor.isAlive,
    blackBoxes,
    judgedBoxes: async () => {
      const { releases } = await new Quarantine(slots).list();
      return (await blackBoxes()).map((box) => {
        const { version, image_digest: imageDigest } = box.left;
        return { box, quarantined: releases.some((one) => isSameRelease(one, { version, imageDigest })) };
      });
    },
  };
}

/** With boot control `directory` a start of the daemon is a boot. */
async function bootIdOf({ bootloader }: Slots): Promise<string> {
  return bootloader === 'directory' ? randomUUID() : kernelBootId();
}

/** One line for each change of status; with the whole failure, its causes too. */
function logStatus(ecu: MachineEcu, actor: EcuActor, { log, tell }: LocalEcuWiring): void {
  let last = ecu.status().status;
  actor.subscribe(() => {
    const { status, failure } = actor.activity();
    tell(actor.doing === '' ? (failure?.reason ?? status) : actor.doing);
    if (status === last) return;
    last = status;
    if (failure === undefined) log.info({ status }, `status ${status}`);
    else log.error({ status, failure }, `status ${status}: ${failure.reason}`);
  });
}
