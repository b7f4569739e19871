import type { SnapshotFrom } from 'xstate';
import { assign } from 'xstate';
import type { OtaStatus } from '#domain/status.ts';
import { otaStatuses } from '#domain/status.ts';
import type { TrialCause } from '#domain/trial-end.ts';
import { ecuMachineParts, startContext } from './machine-parts.ts';
import type { UpdateSteps } from './steps.ts';

/**
 * The order of everything one ECU does: update, abort, rollback, first boot. It knows no I/O: the steps do the work, and
 * leaving a state aborts the step that the state runs. The tag of a state is the status that readers see.
 */
export function createEcuMachine(steps: UpdateSteps) {
  const parts = ecuMachineParts(steps);

  /** The first start in a slot that was switched to; the same for an update and a rollback. */
  const firstBoot = (of: 'update' | 'rollback') => {
    const endTrial = (cause: TrialCause) => ({ type: 'endTrial', params: { of, cause } }) as const;
    const late = { target: 'givingUp', actions: endTrial('not_decided') } as const;
    const unconfirmed = { target: 'givingUp', actions: endTrial('not_confirmed') } as const;
    return parts.createStateConfig({
      description: 'The boot choice was switched: keep this release, or go back',
      initial: 'checkingHealth',
      states: {
        checkingHealth: {
          description: 'Probes must pass, and hold',
          invoke: { src: 'checkHealth', onDone: 'confirming', onError: late },
          after: { firstBootLimit: late },
        },
        confirming: {
          invoke: { src: 'confirm', onDone: '#ecu.atRest.success', onError: unconfirmed },
          after: { bootSwitchLimit: unconfirmed },
        },
        givingUp: {
          // The boot choice was one-shot: a reboot goes back even when this fails.
          invoke: {
            src: 'giveUp',
            input: ({ context }) => ({ failure: made(context.failure), end: made(context.trialEnd) }),
            onDone: [
              { guard: { type: 'rebootLeadsBack' }, target: 'rebooting' },
              { target: '#ecu.stranded' },
            ],
            onError: 'rebooting',
          },
          after: { bootSwitchLimit: 'rebooting' },
        },
        rebooting: {
          description: 'Nothing changes any more; the next start judges',
          invoke: { src: 'reboot', input: 'trial_ended', onError: '#ecu.stranded' },
          after: { rebootLimit: '#ecu.hung' },
        },
      },
    });
  };

  return parts.createMachine({
    id: 'ecu',
    context: ({ input }) => startContext(input),
    initial: 'starting',
    states: {
      starting: {
        description: 'What the boot verdict says',
        always: [
          { guard: { type: 'firstBootOf', params: { of: 'update' } }, target: 'updating.firstBoot' },
          { guard: { type: 'firstBootOf', params: { of: 'rollback' } }, target: 'rollingBack.firstBoot' },
          { guard: { type: 'restsAt', params: { status: 'SUCCESS' } }, target: 'atRest.success' },
          { guard: { type: 'restsAt', params: { status: 'FAILURE' } }, target: 'atRest.failure' },
          { guard: { type: 'restsAt', params: { status: 'ABORTED' } }, target: 'atRest.aborted' },
          {
            guard: { type: 'restsAt', params: { status: 'ROLLBACK_FAILURE' } },
            target: 'atRest.rollbackFailure',
          },
          { target: 'atRest.initialized' },
        ],
      },

      atRest: {
        description: 'Takes requests; everywhere else they are refused as busy',
        initial: 'initialized',
        entry: 'endJob',
        on: {
          UPDATE: { target: 'updating', actions: 'beginUpdate' },
          ROLLBACK: { target: 'rollingBack', actions: 'beginRollback' },
        },
        states: {
          initialized: { tags: 'INITIALIZED' },
          success: { tags: 'SUCCESS', entry: 'clearFailure' },
          failure: { tags: 'FAILURE' },
          rollbackFailure: { tags: 'ROLLBACK_FAILURE' },
          aborted: { tags: 'ABORTED', entry: 'clearFailure' },
        },
      },

      updating: {
        tags: 'UPDATING',
        initial: 'building',
        states: {
          building: {
            description: 'Everything that can be aborted',
            initial: 'awaitingStart',
            on: { ABORT: '#ecu.aborting' },
            states: {
              awaitingStart: {
                description: 'Nothing is written yet',
                invoke: {
                  src: 'awaitVehicle',
                  input: ({ context }) => ({ point: 'start', request: made(context.job).request }),
                  onDone: 'verifying',
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              verifying: {
                invoke: {
                  src: 'verify',
                  input: ({ context }) => ({ job: made(context.job) }),
                  onDone: { target: 'preparing', actions: assign({ image: ({ event }) => event.output }) },
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              preparing: {
                invoke: {
                  src: 'prepare',
                  input: ({ context }) => ({ job: made(context.job), image: made(context.image) }),
                  onDone: { target: 'planning', actions: assign({ prepared: ({ event }) => event.output }) },
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              planning: {
                invoke: {
                  src: 'plan',
                  input: ({ context }) => ({ job: made(context.job), prepared: made(context.prepared) }),
                  onDone: { target: 'placing', actions: assign({ plan: ({ event }) => event.output }) },
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              placing: {
                invoke: {
                  src: 'place',
                  input: ({ context }) => ({ job: made(context.job), plan: made(context.plan) }),
                  onDone: { target: 'persisting', actions: assign({ staged: ({ event }) => event.output }) },
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              persisting: {
                entry: 'showPersisting',
                invoke: {
                  src: 'persist',
                  input: ({ context }) => ({ job: made(context.job), staged: made(context.staged) }),
                  onDone: {
                    target: 'awaitingActivation',
                    actions: assign({ staged: ({ event }) => event.output }),
                  },
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
              awaitingActivation: {
                description: 'The release is whole; the boot choice is as it was',
                invoke: {
                  src: 'awaitVehicle',
                  input: ({ context }) => ({ point: 'activation', request: made(context.job).request }),
                  onDone: '#ecu.updating.activating',
                  onError: { target: '#ecu.updating.failing', actions: 'failUpdate' },
                },
              },
            },
          },
          activating: {
            description: 'Not to be aborted; looks at the vehicle once more right before the switch',
            entry: 'showActivating',
            invoke: {
              src: 'activate',
              input: ({ context }) => ({ job: made(context.job), staged: made(context.staged) }),
              onDone: 'awaitingChildren',
              onError: [
                { guard: { type: 'heldBack' }, target: 'building.awaitingActivation' },
                { target: 'failing', actions: 'failUpdate' },
              ],
            },
          },
          awaitingChildren: {
            entry: 'showFinalizing',
            // The switch is made; whatever happens to the children, it is not worth losing the release for.
            invoke: { src: 'awaitChildren', onDone: 'awaitingReboot', onError: 'awaitingReboot' },
          },
          awaitingReboot: {
            description: 'The switch is made, one-shot, and can be taken back',
            on: { ABORT: '#ecu.aborting' },
            invoke: {
              src: 'awaitVehicle',
              input: ({ context }) => ({ point: 'reboot', request: made(context.job).request }),
              onDone: 'rebooting',
              onError: { target: 'failing', actions: 'failUpdate' },
            },
          },
          rebooting: {
            description: 'Nothing changes any more; the next start judges',
            invoke: {
              src: 'reboot',
              input: 'update',
              onError: [
                { guard: { type: 'heldBack' }, target: 'awaitingReboot' },
                { target: 'failing', actions: 'failUpdate' },
              ],
            },
          },
          failing: {
            description: 'Records FAILURE before it is shown',
            invoke: {
              src: 'recordFailure',
              input: ({ context }) => ({ status: 'FAILURE', failure: context.failure }),
              onDone: '#ecu.atRest.failure',
              onError: '#ecu.atRest.failure',
            },
          },
          firstBoot: firstBoot('update'),
        },
      },

      aborting: {
        tags: 'ABORTING',
        initial: 'settling',
        states: {
          settling: {
            description: 'The aborted step lets go of the standby slot, or is left behind',
            invoke: {
              src: 'settle',
              input: ({ context }) => ({ job: context.job }),
              onDone: 'recording',
              onError: 'recording',
            },
            after: { abortGrace: 'recording' },
          },
          recording: {
            invoke: {
              src: 'recordAborted',
              onDone: '#ecu.atRest.aborted',
              onError: { target: '#ecu.atRest.failure', actions: 'failUpdate' },
            },
          },
        },
      },

      rollingBack: {
        tags: 'ROLLBACKING',
        initial: 'awaitingStart',
        states: {
          awaitingStart: {
            description: 'Nothing is written yet',
            on: { ABORT: '#ecu.aborting' },
            invoke: {
              src: 'awaitVehicle',
              input: { point: 'start', request: undefined },
              onDone: 'switching',
              onError: { target: 'failing', actions: 'failRollback' },
            },
          },
          switching: {
            invoke: {
              src: 'rollBack',
              onDone: 'awaitingReboot',
              onError: { target: 'failing', actions: 'failRollback' },
            },
          },
          awaitingReboot: {
            description: 'The switch is made, one-shot, and can be taken back',
            on: { ABORT: '#ecu.aborting' },
            invoke: {
              src: 'awaitVehicle',
              input: { point: 'reboot', request: undefined },
              onDone: 'rebooting',
              onError: { target: 'failing', actions: 'failRollback' },
            },
          },
          rebooting: {
            description: 'Nothing changes any more; the next start judges',
            invoke: {
              src: 'reboot',
              input: 'rollback',
              onError: [
                { guard: { type: 'heldBack' }, target: 'awaitingReboot' },
                { target: 'failing', actions: 'failRollback' },
              ],
            },
          },
          failing: {
            description: 'Records ROLLBACK_FAILURE before it is shown',
            invoke: {
              src: 'recordFailure',
              input: ({ context }) => ({ status: 'ROLLBACK_FAILURE', failure: context.failure }),
              onDone: '#ecu.atRest.rollbackFailure',
              onError: '#ecu.atRest.rollbackFailure',
            },
          },
          firstBoot: firstBoot('rollback'),
        },
      },

      stranded: {
        tags: 'FAILURE',
        description: 'Runs a release that was given up and cannot reboot by itself: refuses everything',
      },

      hung: {
        tags: 'FAILURE',
        description: 'The reboot does not come: no more signs of life, so that the service manager steps in',
      },
    },
  });
}

export type EcuMachine = ReturnType<typeof createEcuMachine>;

/** The status that readers see: the tag of the state. */
export function statusOf(snapshot: SnapshotFrom<EcuMachine>): OtaStatus {
  return otaStatuses.find((status) => snapshot.hasTag(status)) ?? 'INITIALIZED';
}

/** What the order of the states guarantees to be there. */
function made<T>(product: T | undefined): T {
  if (product === undefined) throw new Error('a step was started before the one that it needs');
  return product;
}
