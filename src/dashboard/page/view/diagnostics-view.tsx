import type { ComponentChild } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { client } from '#dashboard/page/model/session.ts';
import { problemOf } from '#dashboard/page/words/problems.ts';
import { bytesText, countText } from '#dashboard/page/words/units.ts';
import type { Diagnostics } from '#gen/ota/console/v1/types_pb.ts';

const readMs = 2000;

/** How diagnostics fare: where values come from, what becomes of them, what is lost. */
export function DiagnosticsView() {
  const [told, setTold] = useState<Diagnostics | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  useEffect(() => {
    const end = new AbortController();
    const read = (): void => {
      client.getDiagnostics({}, { signal: end.signal, timeoutMs: 15_000 }).then(
        ({ diagnostics }) => {
          setTold(diagnostics);
          setProblem(undefined);
        },
        (error: unknown) => {
          if (!end.signal.aborted) setProblem(problemOf(error));
        },
      );
    };
    read();
    const again = setInterval(() => {
      if (!document.hidden) read();
    }, readMs);
    return () => {
      clearInterval(again);
      end.abort();
    };
  }, []);
  if (told === undefined || !told.enabled) {
    return (
      <section class="panel" aria-labelledby="diagnostics-title">
        <div class="panel-head">
          <h2 id="diagnostics-title">Diagnostics</h2>
        </div>
        <p class="empty">
          {problem ??
            (told === undefined
              ? 'Asking the vehicle…'
              : 'Diagnostics are switched off on this ECU. The option diagnostics.enabled switches them on: the course of every update, and chosen signals, are then kept and uploaded.')}
        </p>
      </section>
    );
  }
  return (
    <div class="diagnostics">
      {problem !== undefined && <p class="note-line">What you see is not new. {problem}</p>}
      <Losses told={told} />
      <Sources told={told} />
      <Campaigns told={told} />
      <Spool told={told} />
    </div>
  );
}

interface Props {
  readonly told: Diagnostics;
}

function Losses({ told }: Props) {
  const numbers: readonly (readonly [string, string, boolean])[] = [
    ['Uploaded', `${countText(told.uploadedSegments)} segments, ${bytesText(told.uploadedBytes)}`, false],
    ['Failed uploads', countText(told.uploadFailures), told.uploadFailures > 0n],
    ['Dropped samples', countText(told.droppedSamples), told.droppedSamples > 0n],
    ['Evicted segments', countText(told.evictedSegments), told.evictedSegments > 0n],
    ['Quarantined segments', countText(told.quarantinedSegments), told.quarantinedSegments > 0n],
  ];
  return (
    <section class="panel" aria-labelledby="uploads-title">
      <div class="panel-head">
        <h2 id="uploads-title">Uploads and losses</h2>
      </div>
      <div class="panel-body">
        {told.uploadWaitingFor !== '' && <p class="note-line">Uploads wait: {told.uploadWaitingFor}</p>}
        <dl class="numbers">
          {numbers.map(([name, value, isBad]) => (
            <div key={name} class={isBad ? 'warn' : ''}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </section>
  );
}

function Sources({ told }: Props) {
  return (
    <Table
      title="Sources"
      empty="No source is configured."
      heads={['Source', 'State', 'Signals', 'Samples']}
      numbers={2}
    >
      {told.sources.map(({ name, state, problem, signals, samples }) => (
        <tr key={name}>
          <th scope="row" class="mono">
            {name}
            {problem !== '' && <p class="problem-text">{problem}</p>}
          </th>
          <td>
            <span class={`tag source-${state}`}>{state}</span>
          </td>
          <td class="num">{countText(signals)}</td>
          <td class="num">{countText(samples)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Campaigns({ told }: Props) {
  return (
    <Table
      title="Campaigns"
      empty="No campaign is configured."
      heads={['Campaign', 'State', 'Samples', 'Triggered', 'Dropped']}
      numbers={2}
    >
      {told.campaigns.map(({ id, state, samples, triggered, dropped }) => (
        <tr key={id}>
          <th scope="row" class="mono">
            {id}
          </th>
          <td>
            <span class="tag">{state}</span>
          </td>
          <td class="num">{countText(samples)}</td>
          <td class="num">{countText(triggered)}</td>
          <td class={dropped > 0n ? 'num warn' : 'num'}>{countText(dropped)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Spool({ told }: Props) {
  const most = told.lanes.reduce((max, { bytes }) => (bytes > max ? bytes : max), 1n);
  return (
    <Table
      title="Spool"
      empty="Nothing waits on disk."
      heads={['Priority', 'Share', 'Segments', 'Bytes']}
      numbers={2}
    >
      {told.lanes.map(({ priority, segments, bytes }) => (
        <tr key={priority}>
          <th scope="row">{priority}</th>
          <td>
            <span class="share" aria-hidden="true">
              <span class="share-copied" style={{ transform: `scaleX(${Number(bytes) / Number(most)})` }} />
            </span>
          </td>
          <td class="num">{countText(segments)}</td>
          <td class="num">{bytesText(bytes)}</td>
        </tr>
      ))}
    </Table>
  );
}

interface TableProps {
  readonly title: string;
  readonly empty: string;
  readonly heads: readonly string[];
  /** Columns from this one on hold numbers. */
  readonly numbers: number;
  readonly children: readonly ComponentChild[];
}

function Table({ title, empty, heads, numbers, children }: TableProps) {
  const id = `table-${title.toLowerCase()}`;
  return (
    <section class="panel" aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
      </div>
      {children.length === 0 ? (
        <p class="empty">{empty}</p>
      ) : (
        <div class="table-box" tabIndex={0} role="region" aria-label={`Table: ${title}`}>
          <table class="table">
            <thead>
              <tr>
                {heads.map((head, index) => (
                  <th key={head} scope="col" class={index >= numbers ? 'num' : ''}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}
