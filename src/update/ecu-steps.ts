import type { Slots, SwitchKind } from '#boot/slots.ts';
import type { FailureCode } from '#domain/failure.ts';
import type { Log } from '#domain/log.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import { failureOf } from './failure-of.ts';
import { type Gate, GateWait } from './gate.ts';
import type { FirstBoot } from './health/first-boot.ts';
import type { Journal } from './journal.ts';
import type { Returns } from './returns.ts';
import type { BackCarrier } from './rollback/back-carrier.ts';
import type { BuildSteps, UpdateSteps } from './steps.ts';

export interface EcuStepParts {
  readonly slots: Slots;
  readonly journal: Journal;
  /** Builds the release in the standby slot. */
  readonly engine: BuildSteps;
  readonly firstBoot: Pick<FirstBoot, 'limitMs' | 'judge' | 'end'>;
  /** What becomes of releases that were not kept. */
  readonly returns: Returns;
  /** Files that go with a rollback. */
  readonly back: BackCarrier;
  readonly awaitChildren: UpdateSteps['awaitChildren'];
  /** Whether the vehicle is in a state for going on. */
  readonly gate: Gate;
  /** Resolves when every request that came in has its answer. */
  readonly answered: () => Promise<void>;
  readonly log: Log;
  /** Told when a step begins, for the log. */
  readonly onStep: (step: keyof UpdateSteps) => void;
}

/**
 * All steps of one ECU: the engine's, the slots', and around them the journal, which is written before a step begins and
 * cleared after the job has ended. Errors of every step: OtaFailure, or the signal's reason.
 */
export function createEcuSteps(parts: EcuStepParts): UpdateSteps {
  const { slots, journal, engine, firstBoot, returns, back, gate, log, onStep } = parts;
  const wait = new GateWait(gate);

  const step = async <T>(
    name: keyof UpdateSteps,
    otherwise: FailureCode,
    work: () => Promise<T>,
  ): Promise<T> => {
    onStep(name);
    try {
      return await work();
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      throw failureOf(error, otherwise);
    }
  };

  /** The end of a trial goes back to what ran before: to wait with a release that is bad is no better. */
  const isHeld = (why: SwitchKind | 'trial_ended'): boolean =>
    why === 'update' || (why === 'rollback' && gate.holdsRollbacks);

  const jobOf = async (request: ReleaseRequest | undefined) =>
    request === undefined
      ? { requestId: '', version: (await slots.rollbackTarget()).version, url: '' }
      : nameOf(request);

  return {
    firstBootLimitMs: firstBoot.limitMs,
    verify: (request, context) =>
      step('verify', 'unrecoverable', async () => {
        if (journal.entry?.step === 'await_start') await journal.reach('verify');
        else await journal.begin('verify', nameOf(request));
        const image = await engine.verify(request, context);
        await returns.admit({ version: request.version, imageDigest: image.digest }, request.force === true);
        return image;
      }),
    prepare: (image, context) =>
      step('prepare', 'boot_control_prepare', async () => {
        await journal.reach('prepare', { imageDigest: image.digest });
        return engine.prepare(image, context);
      }),
    plan: (prepared, context) =>
      step('plan', 'inventory', async () => {
        await journal.reach('plan');
        return engine.plan(prepared, context);
      }),
    place: (plan, context) =>
      step('place', 'placing', async () => {
        await journal.reach('place');
        return engine.place(plan, context);
      }),
    persist: (staged, context) =>
      step('persist', 'placing', async () => {
        await journal.reach('persist');
        return engine.persist(staged, context);
      }),
    awaitVehicle: async (point, { request, signal }) => {
      if (point === 'start') wait.begin();
      if (!isHeld(request === undefined ? 'rollback' : 'update')) return;
      // What is not to be waited for was looked at when the request was taken.
      if (point === 'start' && gate.waitMs.start === 0) return;
      const waitingFor = gate.unfulfilled(point);
      if (waitingFor.length === 0) return;
      await step('awaitVehicle', 'unspecific', async () => {
        log.info({ point, waitingFor }, 'waiting until the vehicle is in a state for it');
        if (point === 'start') await journal.begin('await_start', await jobOf(request));
        else await journal.reach(`await_${point}`);
        await wait.pass(point, signal);
      });
    },
    activate: (staged, release) =>
      step('activate', 'boot_control_activate', async () => {
        await journal.reach('activate', await returns.beforeSwitch());
        await slots.activate(staged.tree, release, () => wait.look('activation'));
      }),
    awaitChildren: (context) =>
      step('awaitChildren', 'unspecific', async () => {
        await journal.reach('await_children');
        await parts.awaitChildren(context);
      }),
    reboot: (why) =>
      step('reboot', 'boot_control_activate', async () => {
        await journal.reach('reboot');
        await parts.answered();
        await slots.reboot(isHeld(why) ? () => wait.look('reboot') : undefined);
      }),
    checkHealth: ({ signal }) =>
      step('checkHealth', 'health_check_failed', async () => {
        await journal.reach('first_boot');
        await returns.begun();
        await firstBoot.judge(signal);
      }),
    confirm: () =>
      step('confirm', 'boot_control_activate', async () => {
        await slots.confirm();
        await returns.confirmed();
        await back.settle();
        await journal.clear();
      }),
    giveUp: async (failure, end) => {
      onStep('giveUp');
      // Each on its own: whatever fails here, the boot choice is what counts, and it is one-shot at the worst.
      const tried = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
        try {
          return await work();
        } catch (error) {
          log.error({ err: error }, 'giving up the running release is made harder');
          return undefined;
        }
      };
      const rebootHelps = await tried(() => firstBoot.end(end));
      await returns.givenUp(end);
      const set = await tried(async () => {
        await slots.giveUp(failure);
        return true;
      });
      const disarmed =
        set ??
        (await tried(async () => {
          await slots.disarm();
          return true;
        }));
      // Nothing can be written, and confirming may have made this release the default: rebooting would go on for ever.
      return rebootHelps ?? (disarmed === true || end.cause !== 'not_confirmed');
    },
    rollBack: () =>
      step('rollBack', 'rollback_failed', async () => {
        const { version } = await slots.rollbackTarget();
        await journal.begin('roll_back', { requestId: '', version, url: '' });
        await journal.reach('roll_back', await returns.beforeSwitch());
        await slots.rollBack(back.intoOldRelease);
      }),
    record: (status, failure) =>
      step('record', 'unrecoverable', async () => {
        // A rollback has no URL.
        const stopped = status === 'ABORTED' && journal.entry?.url === '';
        if (status === 'ROLLBACK_FAILURE' || stopped) {
          await back.undo().catch((error: unknown) => {
            // The release that runs is not concerned; the next rollback begins with it.
            log.error({ err: error }, 'what was carried back could not be taken back');
          });
        }
        await slots.record(status, failure);
        await journal.clear();
      }),
  };
}

function nameOf({ requestId, version, url }: ReleaseRequest) {
  return { requestId, version, url: url.href };
}
