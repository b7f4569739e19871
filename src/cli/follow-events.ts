import { setTimeout as delay } from 'node:timers/promises';
import type { ConsoleClient } from '#api/console-client.ts';
import { ConsoleError } from '#api/console-error.ts';
import type { EventFilter } from '#api/console-journal.ts';
import { journalEnd, lastEvents, newEvents, passes } from '#api/console-journal.ts';
import type { VehicleEvent } from '#api/vehicle-event.ts';
import type { ConsoleDoor } from './console-options.ts';

/** What following a journal tells. */
export type JournalNews =
  | { readonly events: readonly VehicleEvent[] }
  /** The console is away, and why; it is waited for. Told once for each time. */
  | { readonly lost: string }
  /** Events are missing before the next ones: the journal does not have them any more. */
  | { readonly gap: true };

interface Wish {
  readonly filter: EventFilter;
  /** How many of the events that are there already. */
  readonly limit: number;
}

const budgetMs = 10_000;
const shortestPauseMs = 500;
const longestPauseMs = 5000;
/** A daemon that has just started listens a moment before its new token can be read, or after. */
const tokenTries = 5;
/** At most this many events are told of a time in which the console was away and its journal went on. */
const gapLimit = 1000;

/**
 * The last events of the journal and then every new one, without a gap and none twice, over restarts of the daemon.
 * Ends by throwing: the signal's reason, or a ConsoleError that waiting will not mend.
 */
export async function* followEvents(
  door: ConsoleDoor,
  { filter, limit }: Wish,
  signal: AbortSignal,
): AsyncGenerator<JournalNews, never, void> {
  let seen = 0n;
  // What is to be read from the journal before new events are waited for.
  let backlog = limit;
  let isLost = false;
  let wasIn = false;
  let pauseMs = shortestPauseMs;
  let refusals = 0;
  for (;;) {
    try {
      using client = await door.open();
      // A console takes 0 for "only new ones".
      if (backlog > 0 || seen === 0n) {
        const { events, end } = await missed(client, filter, { limit: backlog, after: seen }, signal);
        [seen, backlog] = [end, 0];
        yield { events };
      }
      [isLost, wasIn] = [false, true];
      for await (const events of newEvents(client, seen, signal)) {
        [pauseMs, refusals] = [shortestPauseMs, 0];
        const fresh = events.filter((event) => event.sequence > seen);
        seen = fresh.at(-1)?.sequence ?? seen;
        yield { events: fresh.filter((event) => passes(event, filter)) };
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConsoleError)) throw error;
      if (error.code === 'unauthenticated') refusals += 1;
      const isRenewed = wasIn && door.renewsToken && refusals < tokenTries;
      const willPass = error.isPassing || (error.isRefusedEntry && isRenewed);
      if (error.code === 'gone') yield { gap: true };
      else if (!willPass) throw error;
      else if (!isLost) yield { lost: error.message };
      if (error.code === 'gone' || seen === 0n) backlog = Math.max(backlog, gapLimit);
      isLost = true;
    }
    await delay(pauseMs, undefined, { signal });
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

async function missed(
  client: ConsoleClient,
  filter: EventFilter,
  wanted: { readonly limit: number; readonly after: bigint },
  signal: AbortSignal,
): Promise<{ readonly end: bigint; readonly events: readonly VehicleEvent[] }> {
  const call = { signal, budgetMs };
  const end = await journalEnd(client, call);
  const events = wanted.limit === 0 ? [] : await lastEvents(client, filter, wanted, call);
  return { end: events.reduce((last, { sequence }) => (sequence > last ? sequence : last), end), events };
}
