import { useEffect, useState } from 'preact/hooks';
import { type Filter, journalState, matches, recent, search } from '#dashboard/page/model/journal.ts';
import { tree } from '#dashboard/page/model/vehicle.ts';
import { problemOf } from '#dashboard/page/words/problems.ts';
import type { Event, EventKind } from '#gen/ota/console/v1/types_pb.ts';
import { EventList, kindTexts } from './event-list.tsx';
import { Icon } from './icons.tsx';

const nothing: Filter = { ecuId: '', kinds: [], query: '' };
/** Pause after the last key before the vehicle is asked, in milliseconds. */
const typingMs = 250;

interface Found {
  readonly events: readonly Event[];
  readonly next: string;
  readonly problem: string | undefined;
  readonly busy: boolean;
}

const begun: Found = { events: [], next: '', problem: undefined, busy: true };

/** What happened, newest first; new events come in by themselves. */
export function JournalView() {
  const [filter, setFilter] = useState(nothing);
  const [found, setFound] = useState(begun);
  useEffect(() => {
    const end = new AbortController();
    const timer = setTimeout(
      () => void load(filter, '', end.signal, setFound),
      filter.query === '' ? 0 : typingMs,
    );
    return () => {
      clearTimeout(timer);
      end.abort();
    };
  }, [filter]);
  const newest = found.events[0]?.sequence ?? -1n;
  const fresh = recent.value.filter((event) => event.sequence > newest && matches(event, filter));
  const events = found.busy && found.events.length === 0 ? [] : [...fresh, ...found.events];
  return (
    <section class="panel" aria-labelledby="journal-title">
      <div class="panel-head wrap">
        <h2 id="journal-title">Journal</h2>
        <Filters filter={filter} setFilter={setFilter} />
      </div>
      <Notes found={found} isEmpty={events.length === 0} isFiltered={filter !== nothing} />
      <EventList events={events} withEcu={true} />
      {found.next !== '' && (
        <p class="more">
          <button
            type="button"
            class="button"
            disabled={found.busy}
            onClick={() => void load(filter, found.next, new AbortController().signal, setFound)}
          >
            {found.busy ? 'Reading…' : 'Older events'}
          </button>
        </p>
      )}
    </section>
  );
}

interface FiltersProps {
  readonly filter: Filter;
  readonly setFilter: (filter: Filter) => void;
}

function Filters({ filter, setFilter }: FiltersProps) {
  const toggle = (kind: EventKind): void => {
    const { kinds } = filter;
    setFilter({
      ...filter,
      kinds: kinds.includes(kind) ? kinds.filter((other) => other !== kind) : [...kinds, kind],
    });
  };
  return (
    <>
      <label class="search">
        <Icon name="search" size={14} />
        <span class="unseen">Search the journal</span>
        <input
          type="search"
          placeholder="Search text or caller"
          value={filter.query}
          maxLength={200}
          onInput={(event) => setFilter({ ...filter, query: event.currentTarget.value })}
        />
      </label>
      <label class="select">
        <span class="unseen">ECU</span>
        <select
          value={filter.ecuId}
          onChange={(event) => setFilter({ ...filter, ecuId: event.currentTarget.value })}
        >
          <option value="">All ECUs</option>
          {tree.value.map(({ ecuId }) => (
            <option key={ecuId} value={ecuId}>
              {ecuId}
            </option>
          ))}
        </select>
      </label>
      <div class="chips" role="group" aria-label="Kinds of events">
        {kindTexts.map(([kind, word]) => (
          <button
            key={kind}
            type="button"
            class={`chip kind-${word}`}
            aria-pressed={filter.kinds.includes(kind)}
            onClick={() => toggle(kind)}
          >
            {word}
          </button>
        ))}
      </div>
    </>
  );
}

interface NotesProps {
  readonly found: Found;
  readonly isEmpty: boolean;
  readonly isFiltered: boolean;
}

function Notes({ found, isEmpty, isFiltered }: NotesProps) {
  const state = journalState.value;
  if (found.problem !== undefined) {
    return (
      <p class="problem" role="alert">
        The journal cannot be read. {found.problem}
      </p>
    );
  }
  if (state.kind === 'lost') return <p class="note-line">New events do not come in just now. {state.why}</p>;
  if (!isEmpty) return null;
  if (found.busy) return <p class="empty">Reading the journal…</p>;
  return (
    <p class="empty">
      {isFiltered
        ? 'Nothing in the journal is like that.'
        : 'The journal is empty: nothing has happened yet.'}
    </p>
  );
}

async function load(
  filter: Filter,
  pageToken: string,
  signal: AbortSignal,
  setFound: (change: (before: Found) => Found) => void,
): Promise<void> {
  setFound((before) => ({ ...before, busy: true }));
  try {
    const { events, next } = await search(filter, pageToken, signal);
    setFound((before) => ({
      events: pageToken === '' ? events : [...before.events, ...events],
      next,
      problem: undefined,
      busy: false,
    }));
  } catch (error) {
    if (!signal.aborted) setFound((before) => ({ ...before, problem: problemOf(error), busy: false }));
  }
}
