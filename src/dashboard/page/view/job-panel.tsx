import type { Job } from '#dashboard/page/model/job.ts';
import { type Category, phases } from '#dashboard/page/words/states.ts';
import {
  bytesText,
  countText,
  durationMs,
  rateText,
  remainingText,
  spanText,
} from '#dashboard/page/words/units.ts';
import type { Progress, UpdatePhase } from '#gen/ota/console/v1/types_pb.ts';
import { ProgressBar } from './progress-bar.tsx';

interface JobPanelProps {
  readonly job: Job;
  readonly category: Category;
}

/** One update or rollback: how far, how fast, how long. */
export function JobPanel({ job, category }: JobPanelProps) {
  const { kind, outcome, targetVersion, percent, progress } = job;
  const to = targetVersion === '' ? '' : ` to ${targetVersion}`;
  return (
    <section class="job" aria-labelledby="job-title">
      <h3 id="job-title">
        {kind === 'rollback' ? 'Rollback' : `Update${to}`}{' '}
        <span class={`tag tag-${outcome}`}>{outcomeText(job)}</span>
      </h3>
      {kind === 'update' && (
        <>
          <div class="big">
            <ProgressBar
              percent={percent}
              label="Progress of the update"
              category={barColour(job, category)}
            />
            <b>{percent} %</b>
          </div>
          {progress !== undefined && <Track phase={progress.phase} outcome={outcome} />}
        </>
      )}
      {kind === 'rollback' && outcome === 'running' && (
        <div class="big">
          <ProgressBar percent={undefined} label="Rollback" category={category} />
        </div>
      )}
      {progress !== undefined && (
        <Numbers progress={progress} isRunning={outcome === 'running' && category === 'updating'} />
      )}
      {progress !== undefined && <Work progress={progress} />}
    </section>
  );
}

function barColour({ outcome }: Job, category: Category): Category {
  if (outcome === 'committed') return 'ok';
  return outcome === 'running' ? category : 'failed';
}

function outcomeText({ outcome }: Job): string {
  switch (outcome) {
    case 'running':
      return 'under way';
    case 'committed':
      return 'committed';
    case 'failed':
      return 'failed';
    case 'aborted':
      return 'aborted';
    case 'ended':
      return 'ended';
  }
}

/** Phases in their order; what is behind, where it is, what is to come. */
function Track({ phase, outcome }: { readonly phase: UpdatePhase; readonly outcome: Job['outcome'] }) {
  const at = phases.findIndex((known) => known.phase === phase);
  return (
    <ol class="track" aria-label="Phases">
      {phases.map(({ short, long }, index) => {
        const isBehind = outcome === 'committed' || index < at;
        const isHere = !isBehind && index === at;
        const state = isBehind ? 'done' : isHere ? (outcome === 'running' ? 'here' : 'broken') : 'ahead';
        return (
          <li
            key={short}
            class={`step step-${state}`}
            aria-current={isHere ? 'step' : undefined}
            title={long}
          >
            <span class="step-dot" aria-hidden="true" />
            <span>{short}</span>
            {state !== 'ahead' && <span class="unseen">{state === 'done' ? ' (done)' : ' (now)'}</span>}
          </li>
        );
      })}
    </ol>
  );
}

function Numbers({ progress, isRunning }: { readonly progress: Progress; readonly isRunning: boolean }) {
  const remaining = durationMs(progress.remaining);
  const elapsed = durationMs(progress.elapsed);
  const numbers: readonly (readonly [string, string])[] = [
    ['Rate', isRunning ? rateText(progress.bytesPerSecond) : '—'],
    ['Remaining', isRunning ? (remaining === undefined ? 'not known yet' : remainingText(remaining)) : '—'],
    ['Elapsed', elapsed === undefined ? '—' : spanText(elapsed)],
    ['Over the network', bytesText(progress.wireBytes)],
    ['Download errors', countText(progress.downloadErrors)],
  ];
  return (
    <dl class="numbers">
      {numbers.map(([name, value]) => (
        <div key={name} class={name === 'Download errors' && progress.downloadErrors > 0n ? 'warn' : ''}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Where the files come from. */
function Work({ progress }: { readonly progress: Progress }) {
  const { total, copy, link, download, toDownload } = progress;
  const rows = [
    { name: 'Copied', done: copy },
    { name: 'Linked', done: link },
    { name: 'Downloaded', done: download },
  ];
  const wanted = Number(total?.bytes ?? 0n);
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Files by source">
      <table class="table work">
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col" class="num">
              Files
            </th>
            <th scope="col" class="num">
              Bytes
            </th>
            <th scope="col" class="num">
              Time
            </th>
            <th scope="col" class="share-head">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, done }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="num">{countText(done?.files ?? 0n)}</td>
              <td class="num">{bytesText(done?.bytes ?? 0n)}</td>
              <td class="num">{spanText(durationMs(done?.elapsed) ?? 0)}</td>
              <td>
                <Share of={wanted} value={Number(done?.bytes ?? 0n)} kind={name.toLowerCase()} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Of</th>
            <td class="num">{countText(total?.files ?? 0n)}</td>
            <td class="num">{bytesText(wanted)}</td>
            <td colSpan={2} class="quiet">
              {toDownload !== undefined && toDownload.files > 0n
                ? `${countText(toDownload.files)} ${toDownload.files === 1n ? 'file' : 'files'}, ${bytesText(toDownload.bytes)} to download`
                : ''}
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function Share({ of, value, kind }: { readonly of: number; readonly value: number; readonly kind: string }) {
  return (
    <span class="share" aria-hidden="true">
      <span
        class={`share-${kind}`}
        style={{ transform: `scaleX(${of === 0 ? 0 : Math.min(1, value / of)})` }}
      />
    </span>
  );
}
