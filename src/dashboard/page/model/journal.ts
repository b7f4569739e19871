import { Code } from '@connectrpc/connect';
import { signal } from '@preact/signals';
import { isCode, problemOf } from '#dashboard/page/words/problems.ts';
import type { Event, EventKind } from '#gen/ota/console/v1/types_pb.ts';
import { persistently } from './retry.ts';
import { client } from './session.ts';

/** Newest events that are kept whatever is looked for. */
const maxRecent = 400;

export type JournalState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly why: string };

export const journalState = signal<JournalState>({ kind: 'loading' });

/** Newest first. */
export const recent = signal<readonly Event[]>([]);

/** What is looked for; empty fields look for everything. */
export interface Filter {
  readonly ecuId: string;
  readonly kinds: readonly EventKind[];
  readonly query: string;
}

/** Follows the journal until `signal` fires: nothing is missed and nothing shown twice, whatever happens to connections. */
export function followJournal(signal: AbortSignal): Promise<void> {
  return persistently(
    {
      attempt: watch,
      onWait: (error) => {
        journalState.value = { kind: 'lost', why: problemOf(error) };
      },
      onEnd: (error) => {
        journalState.value = { kind: 'lost', why: problemOf(error) };
      },
    },
    signal,
  );
}

async function watch(works: () => void, signal: AbortSignal): Promise<void> {
  if (recent.peek().length === 0) await load(signal);
  const newest = recent.peek()[0]?.sequence ?? 0n;
  try {
    journalState.value = { kind: 'live' };
    for await (const { events } of client.watchEvents({ afterSequence: newest }, { signal })) {
      works();
      if (journalState.peek().kind !== 'live') journalState.value = { kind: 'live' };
      if (events.length > 0) take(events);
    }
  } catch (error) {
    if (!isCode(error, Code.OutOfRange)) throw error;
    // Too much was missed: what is kept is not whole any more.
    recent.value = [];
    works();
  }
}

async function load(signal: AbortSignal): Promise<void> {
  const { events } = await client.listEvents({ pageSize: 200 }, { signal, timeoutMs: 20_000 });
  recent.value = events;
}

function take(events: readonly Event[]): void {
  const newest = recent.peek()[0]?.sequence ?? -1n;
  const fresh = events.filter(({ sequence }) => sequence > newest).toReversed();
  if (fresh.length > 0) recent.value = [...fresh, ...recent.peek()].slice(0, maxRecent);
}

/** One page of what the journal has, newest first, and where the next one begins. */
export async function search(
  { ecuId, kinds, query }: Filter,
  pageToken: string,
  signal: AbortSignal,
): Promise<{ readonly events: readonly Event[]; readonly next: string }> {
  const answer = await client.listEvents(
    { ecuId, kinds: [...kinds], query, pageToken, pageSize: 100 },
    { signal, timeoutMs: 20_000 },
  );
  return { events: answer.events, next: answer.nextPageToken };
}

/** Whether a new event belongs to what is looked for, as the vehicle itself would judge. */
export function matches({ ecuId, kind, text, caller }: Event, filter: Filter): boolean {
  const query = filter.query.toLowerCase();
  return (
    (filter.ecuId === '' || filter.ecuId === ecuId) &&
    (filter.kinds.length === 0 || filter.kinds.includes(kind)) &&
    (query === '' || text.toLowerCase().includes(query) || caller.toLowerCase().includes(query))
  );
}
