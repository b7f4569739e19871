import { Code } from '@connectrpc/connect';
import { signal } from '@preact/signals';
import { isCode, problemOf } from '#dashboard/page/words/problems.ts';
import { timeMs } from '#dashboard/page/words/units.ts';
import type { Revision } from '#gen/ota/console/v1/console_pb.ts';
import { setVehicleTime, vehicleNow } from './clock.ts';
import { persistently } from './retry.ts';
import { client, signOut } from './session.ts';
import { forgetVehicle, takeChange, takeSnapshot } from './vehicle.ts';

/** How what is shown relates to the vehicle. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** What is shown is from `sinceMs`; the next attempt is made at `nextMs`. Both in the vehicle's time. */
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly nextMs: number; readonly why: string };

export const connection = signal<Connection>({ kind: 'connecting' });

/** A daemon sends something every few seconds; a connection that is silent for so long is dead. Milliseconds. */
const silenceMs = 40_000;

let last: Revision | undefined;
let heardMs = vehicleNow();

/** Follows the vehicle until `signal` fires. */
export function followVehicle(signal: AbortSignal): Promise<void> {
  return persistently(
    {
      attempt: watch,
      onWait: (error, nextMs) => {
        connection.value = { kind: 'lost', sinceMs: heardMs, nextMs, why: problemOf(error) };
      },
      onEnd: (error) => {
        forgetEverything();
        signOut(
          isCode(error, Code.Unauthenticated)
            ? 'You were signed out: the vehicle does not know this token any more. Tokens for this machine change when the daemon starts.'
            : problemOf(error),
        );
      },
    },
    signal,
  );
}

export function forgetEverything(): void {
  last = undefined;
  connection.value = { kind: 'connecting' };
  forgetVehicle();
}

async function watch(works: () => void, signal: AbortSignal): Promise<void> {
  const dead = new AbortController();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const alive = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => dead.abort(), silenceMs);
  };
  alive();
  try {
    const stream = client.watchVehicle(last === undefined ? {} : { after: last }, {
      signal: AbortSignal.any([signal, dead.signal]),
    });
    for await (const { content, revision, serverTime } of stream) {
      alive();
      works();
      const time = timeMs(serverTime);
      if (time !== undefined) setVehicleTime(time);
      heardMs = vehicleNow();
      if (content.case === 'snapshot') takeSnapshot(content.value);
      else if (content.case === 'change') takeChange(content.value);
      if (connection.peek().kind !== 'live') connection.value = { kind: 'live' };
      // Only what was taken may be resumed after.
      last = revision ?? last;
    }
  } finally {
    clearTimeout(silence);
  }
}
