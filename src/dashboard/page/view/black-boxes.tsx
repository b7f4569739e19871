import { Code } from '@connectrpc/connect';
import { useEffect, useState } from 'preact/hooks';
import { client } from '#dashboard/page/model/session.ts';
import { isCode, problemOf } from '#dashboard/page/words/problems.ts';
import { momentText, timeMs } from '#dashboard/page/words/units.ts';
import type { BlackBox, BlackBoxSummary, OtaState } from '#gen/ota/console/v1/types_pb.ts';
import { ProbeLine } from './probes.tsx';

type Told =
  | { readonly kind: 'loading' }
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'told'; readonly boxes: readonly BlackBoxSummary[] };

/** Automatic returns of an ECU to its old release. Looked up again when its state changes. */
export function BlackBoxes({ ecuId, state }: { readonly ecuId: string; readonly state: OtaState }) {
  const [told, setTold] = useState<Told>({ kind: 'loading' });
  useEffect(() => {
    const end = new AbortController();
    client.listBlackBoxes({ ecuId }, { signal: end.signal, timeoutMs: 20_000 }).then(
      ({ blackBoxes }) => setTold({ kind: 'told', boxes: blackBoxes }),
      (error: unknown) => {
        if (!end.signal.aborted) setTold({ kind: 'nothing', why: whyOf(error) });
      },
    );
    return () => end.abort();
  }, [ecuId, state]);
  return (
    <section aria-labelledby="boxes-title">
      <h3 id="boxes-title">Black boxes</h3>
      {told.kind === 'loading' && <p class="quiet">Looking…</p>}
      {told.kind === 'nothing' && <p class="quiet">{told.why}</p>}
      {told.kind === 'told' && told.boxes.length === 0 && (
        <p class="quiet">None: this ECU never had to come back from a release by itself.</p>
      )}
      {told.kind === 'told' && told.boxes.map((box) => <Box key={box.id} ecuId={ecuId} summary={box} />)}
    </section>
  );
}

function whyOf(error: unknown): string {
  if (isCode(error, Code.Unimplemented)) {
    return 'This ECU speaks only OtaClientV2, which has no black boxes. On the ECU itself, “ota blackbox” shows them.';
  }
  return problemOf(error);
}

function Box({ ecuId, summary }: { readonly ecuId: string; readonly summary: BlackBoxSummary }) {
  const [box, setBox] = useState<BlackBox | string | undefined>(undefined);
  const open = (event: Event): void => {
    if (!(event.currentTarget as HTMLDetailsElement).open || typeof box === 'object') return;
    client.getBlackBox({ ecuId, id: summary.id }, { timeoutMs: 20_000 }).then(
      ({ blackBox }) => setBox(blackBox ?? 'It is empty.'),
      (error: unknown) => setBox(problemOf(error)),
    );
  };
  const { leftVersion, backInVersion, why, quarantined } = summary;
  return (
    <details class="box" onToggle={open}>
      <summary>
        <span>
          <b>
            Left {leftVersion}, back in {backInVersion}
          </b>{' '}
          {quarantined && <span class="tag tag-failed">quarantined</span>}
          <span class="quiet"> {momentText(timeMs(summary.time) ?? 0)}</span>
          <br />
          {why}
        </span>
      </summary>
      {box === undefined && <p class="quiet">Reading…</p>}
      {typeof box === 'string' && <p class="problem">{box}</p>}
      {typeof box === 'object' && <Contents box={box} />}
    </details>
  );
}

function Contents({ box }: { readonly box: BlackBox }) {
  const { detail, failedProbe, timeline, evidence, missing } = box;
  const begin = timeMs(timeline[0]?.time) ?? 0;
  return (
    <div class="box-body">
      {detail !== '' && <p>{detail}</p>}
      {failedProbe !== undefined && (
        <ul class="probes">
          <ProbeLine probe={failedProbe} />
        </ul>
      )}
      <h4>Timeline</h4>
      <ol class="timeline">
        {timeline.map(({ time, by, step }, index) => (
          <li key={index} class={by === 'new' ? 'by-new' : 'by-old'}>
            <span class="mono quiet">+{(((timeMs(time) ?? 0) - begin) / 1000).toFixed(1)} s</span>
            <span class="tag">{by} release</span> {step}
          </li>
        ))}
      </ol>
      {evidence.length > 0 && <h4>Evidence</h4>}
      {evidence.map(({ source, text }) => (
        <details key={source} class="evidence">
          <summary>{source}</summary>
          <pre tabIndex={0}>{text}</pre>
        </details>
      ))}
      {missing.length > 0 && <p class="quiet">Looked for and not found: {missing.join(', ')}</p>}
    </div>
  );
}
