import { Code } from '@connectrpc/connect';
import { useEffect, useState } from 'preact/hooks';
import { spans } from '#dashboard/page/model/history.ts';
import { client } from '#dashboard/page/model/session.ts';
import {
  chosen,
  courseOf,
  maxChosen,
  plotted,
  signalsProblem,
  toggle,
  valueText,
} from '#dashboard/page/model/signals.ts';
import { identity } from '#dashboard/page/model/vehicle.ts';
import { isCode, problemOf } from '#dashboard/page/words/problems.ts';
import type { Signal } from '#gen/ota/console/v1/types_pb.ts';
import { Icon } from './icons.tsx';
import { Plot } from './plot.tsx';

/** How often the list's values are read, in milliseconds. */
const readMs = 2000;
const typingMs = 200;

/** Values of the vehicle: a list to choose from, and plots of what is chosen. */
export function SignalsView() {
  return (
    <div class="signals">
      <SignalList />
      <section class="panel" aria-labelledby="plots-title">
        <div class="panel-head">
          <h2 id="plots-title">Over time</h2>
          <span class="quiet">phases of updates are shaded</span>
        </div>
        {signalsProblem.value !== undefined && <p class="note-line">{signalsProblem.value}</p>}
        {chosen.value.length === 0 ? (
          <p class="empty">Choose up to {maxChosen} signals to see them over time, from now on.</p>
        ) : (
          <div class="panel-body plots wide">
            {chosen.value.map((path) => (
              <Course key={path} path={path} />
            ))}
          </div>
        )}
      </section>
    </div>
  );
}

function SignalList() {
  const [query, setQuery] = useState('');
  const [signals, setSignals] = useState<readonly Signal[] | undefined>(undefined);
  const [hasMore, setMore] = useState(false);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  useEffect(() => {
    const end = new AbortController();
    const read = (): void => {
      client
        .listSignals({ query: query.trim(), pageSize: 300 }, { signal: end.signal, timeoutMs: 15_000 })
        .then(
          (answer) => {
            setSignals(answer.signals);
            setMore(answer.nextPageToken !== '');
            setProblem(undefined);
          },
          (error: unknown) => {
            if (!end.signal.aborted) setProblem(whyNot(error));
          },
        );
    };
    const soon = setTimeout(read, query === '' ? 0 : typingMs);
    const again = setInterval(() => {
      if (!document.hidden) read();
    }, readMs);
    end.signal.addEventListener('abort', () => {
      clearTimeout(soon);
      clearInterval(again);
    });
    return () => end.abort();
  }, [query]);
  return (
    <section class="panel" aria-labelledby="signals-title">
      <div class="panel-head wrap">
        <h2 id="signals-title">Signals</h2>
        <label class="search">
          <Icon name="search" size={14} />
          <span class="unseen">Search signals</span>
          <input
            type="search"
            placeholder="Search paths"
            value={query}
            maxLength={200}
            onInput={(event) => setQuery(event.currentTarget.value)}
          />
        </label>
      </div>
      {problem !== undefined && <p class="empty">{problem}</p>}
      {problem === undefined && signals === undefined && <p class="empty">Asking the vehicle…</p>}
      {problem === undefined && signals?.length === 0 && (
        <p class="empty">
          {query === '' ? 'No source has told of any signal yet.' : 'No signal has a path like that.'}
        </p>
      )}
      {signals !== undefined && problem === undefined && (
        <ul class="signal-list">
          {signals.map((signal) => (
            <SignalLine key={signal.path} signal={signal} />
          ))}
        </ul>
      )}
      {hasMore && <p class="quiet more">There are more: search for a part of the path.</p>}
    </section>
  );
}

function whyNot(error: unknown): string {
  if (isCode(error, Code.FailedPrecondition)) {
    return 'Diagnostics are switched off on this ECU: the option diagnostics.enabled switches them on.';
  }
  return problemOf(error);
}

function SignalLine({ signal }: { readonly signal: Signal }) {
  const { path } = signal;
  const isChosen = chosen.value.includes(path);
  const cut = path.lastIndexOf('.') + 1;
  return (
    <li>
      <label class={isChosen ? 'signal chosen' : 'signal'}>
        <input
          type="checkbox"
          checked={isChosen}
          disabled={!isChosen && chosen.value.length >= maxChosen}
          onChange={() => toggle(path)}
        />
        <span class="signal-path mono">
          <span class="quiet">{path.slice(0, cut)}</span>
          <wbr />
          {path.slice(cut)}
        </span>
        <span class="signal-value mono">{valueText(signal)}</span>
      </label>
    </li>
  );
}

function Course({ path }: { readonly path: string }) {
  void plotted.value;
  const course = courseOf(path);
  const remove = (
    <button
      type="button"
      class="tool small"
      aria-label={`Stop plotting ${path}`}
      onClick={() => toggle(path)}
    >
      <Icon name="close" size={12} />
    </button>
  );
  if (course === undefined || course.times.length === 0) {
    return (
      <div class="course">
        {remove}
        <p class="quiet">
          <span class="mono">{path}</span> has not told a value yet.
        </p>
      </div>
    );
  }
  const { times, values, unit, labels, isStepped } = course;
  const text = (value: number): string =>
    labels[value] ?? `${Number(value.toPrecision(6))}${unit === '' ? '' : ` ${unit}`}`;
  const own = identity.value?.ownEcuId;
  return (
    <div class="course">
      {remove}
      <Plot
        title={path}
        label={`${path} over time, now ${text(values.at(-1) ?? 0)}`}
        times={times}
        lines={[{ name: path, values, colour: '--plot-1', fill: false }]}
        text={text}
        spans={spans.filter((span) => span.ecuId === own)}
        isStepped={isStepped}
        {...(labels.length > 0 ? { labels } : {})}
      />
    </div>
  );
}
