import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { bootDirectorySlots } from '#boot/directory.ts';
import type { Slots } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import type { VerifiedImage } from '#image/image.ts';
import { type EcuActivity, EcuActor } from '#update/ecu-actor.ts';
import { createEcuSteps } from '#update/ecu-steps.ts';
import { finalizeStart } from '#update/finalize.ts';
import { type Gate, openGate } from '#update/gate.ts';
import { FirstBoot } from '#update/health/first-boot.ts';
import type { HealthCheck } from '#update/health/probe.ts';
import { Journal } from '#update/journal.ts';
import type { DeltaPlan, StagedTree } from '#update/plan.ts';
import type { PreparedTree } from '#update/prepared-tree.ts';
import { Returns } from '#update/returns.ts';
import { BackCarrier } from '#update/rollback/back-carrier.ts';
import type { BuildSteps, UpdateSteps } from '#update/steps.ts';
import { MemoryLog } from './memory-log.ts';
import { scratchDirectory } from './scratch-directory.ts';

/** Builds a "release" of one file that says its version. */
class OneFileEngine implements BuildSteps {
  readonly #slots: Slots;
  #version = '';

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  async verify(request: ReleaseRequest): Promise<VerifiedImage> {
    this.#version = request.version;
    return { digest: `digest of ${request.version}` } as VerifiedImage;
  }

  async prepare(image: VerifiedImage, { signal }: { readonly signal: AbortSignal }): Promise<PreparedTree> {
    return { image, tree: await this.#slots.prepare(signal) } as PreparedTree;
  }

  async plan(prepared: PreparedTree): Promise<DeltaPlan> {
    return { prepared, missing: [], likely: new Uint8Array() };
  }

  async place({ prepared: { image, tree } }: DeltaPlan): Promise<StagedTree> {
    await writeFile(join(tree.root, 'version'), this.#version);
    return { image, tree, unowned: [] };
  }

  async persist(staged: StagedTree): Promise<StagedTree> {
    return staged;
  }
}

interface Life {
  readonly slots: Slots;
  readonly actor: EcuActor;
  readonly steps: readonly (keyof UpdateSteps)[];
  /** Resolves when the daemon would end to boot again. */
  readonly rebooted: Promise<void>;
  readonly until: (status: string) => Promise<void>;
}

/** One ECU over many lives, with a release 1 as delivered. */
export async function openEcu(
  t: TestContext,
  carriedBack: readonly string[] = [],
  gate: Gate = openGate,
  onStep: (step: keyof UpdateSteps) => void = () => {},
): Promise<(checks?: readonly HealthCheck[]) => Promise<Life>> {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'slot_a'));
  await writeFile(join(directory, 'slot_a', 'version'), '1');
  return async (healthChecks = []) => {
    const rebooted = Promise.withResolvers<void>();
    const slots = await bootDirectorySlots({ directory, reboot: async () => rebooted.resolve() });
    const journal = await Journal.open(join(directory, 'journal.json'));
    const resetPlaces = { crashRecords: [], watchdogs: '/does/not/exist' };
    const returns = new Returns({ slots, log: new MemoryLog(), resetPlaces });
    const back = new BackCarrier({ slots, paths: carriedBack, log: new MemoryLog() });
    const { start } = await finalizeStart({ slots, journal, returns, back });
    const steps: (keyof UpdateSteps)[] = [];
    const parts = {
      slots,
      journal,
      engine: new OneFileEngine(slots),
      firstBoot: new FirstBoot({
        slots,
        checks: healthChecks,
        options: { holdMs: 0, intervalMs: 10, startTimeoutMs: 0, powerCycles: 3 },
        probeGrpc: () => Promise.resolve(undefined),
        probeSignals: () => undefined,
        bootId: randomUUID(),
        course: () => Promise.resolve('running'),
        resetPlaces,
        log: new MemoryLog(),
        tell: () => {},
      }),
      returns,
      back,
      log: new MemoryLog(),
      gate,
      answered: async () => {},
      awaitChildren: () => Promise.resolve(),
      onStep: (step: keyof UpdateSteps) => {
        steps.push(step);
        onStep(step);
      },
    };
    const actor = new EcuActor(createEcuSteps(parts), start, (error) => assert.fail(String(error)), gate);
    actor.start();
    t.after(() => actor[Symbol.asyncDispose]());
    const until = async (status: string): Promise<void> => {
      const reached = Promise.withResolvers<void>();
      const look = (): void => {
        if (actor.activity().status === status) reached.resolve();
      };
      const stop = actor.subscribe(look);
      look();
      await reached.promise;
      stop();
    };
    return { slots, actor, steps, rebooted: rebooted.promise, until };
  };
}

export const request = (version: string): ReleaseRequest => ({
  version,
  url: new URL('http://h/'),
  cookies: new Map([['k', 'SECRET']]),
  detail: undefined,
  requestId: 'r',
});

export async function running(slots: Slots): Promise<string> {
  return readFile(join(slots.activeRoot, 'version'), 'utf8');
}

/** Resolves when the ECU shows what is looked for. */
export async function reached({ actor }: Life, fits: (activity: EcuActivity) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (fits(actor.activity())) resolve();
  };
  const stop = actor.subscribe(look);
  look();
  await promise.finally(stop);
}
