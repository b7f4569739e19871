import assert from 'node:assert/strict';
import { createActor, SimulatedClock } from 'xstate';
import type { ReleaseRequest } from '#domain/release.ts';
import type { OtaStatus } from '#domain/status.ts';
import { createEcuMachine, statusOf } from '#update/machine.ts';
import type { EcuEvent, MachineStart } from '#update/machine-parts.ts';
import type { UpdateSteps } from '#update/steps.ts';

export const request = (version: string): ReleaseRequest => ({
  version,
  url: new URL('http://127.0.0.1/'),
  cookies: new Map(),
  detail: undefined,
  requestId: 'r',
});
export const update: EcuEvent = { type: 'UPDATE', request: request('2') };
const rest: MachineStart = { at: 'rest', status: 'INITIALIZED', failure: undefined };

/** Starts a machine whose time stands still unless the test moves it. */
export function start(steps: UpdateSteps, from: MachineStart = rest) {
  const clock = new SimulatedClock();
  const seen: OtaStatus[] = [];
  const actor = createActor(createEcuMachine(steps), { input: from, clock });
  actor.subscribe({
    next: (snapshot) => seen.push(statusOf(snapshot)),
    error: (error: unknown) => assert.fail(String(error)),
  });
  actor.start();
  return {
    actor,
    clock,
    seen,
    get status(): OtaStatus {
      return statusOf(actor.getSnapshot());
    },
    can: (event: EcuEvent): boolean => actor.getSnapshot().can(event),
    async until(status: OtaStatus): Promise<void> {
      if (statusOf(actor.getSnapshot()) === status) return;
      const reached = Promise.withResolvers<void>();
      const subscription = actor.subscribe((snapshot) => {
        if (statusOf(snapshot) === status) reached.resolve();
      });
      await reached.promise;
      subscription.unsubscribe();
    },
  };
}
