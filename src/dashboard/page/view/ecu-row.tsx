import type { Signal } from '@preact/signals';
import type { EcuView } from '#dashboard/page/model/job.ts';
import { go } from '#dashboard/page/model/route.ts';
import { setClosed } from '#dashboard/page/model/tree-state.ts';
import { type Branch, viewSignal } from '#dashboard/page/model/vehicle.ts';
import { headlineOf } from '#dashboard/page/words/headline.ts';
import { durationMs, rateText, spanText } from '#dashboard/page/words/units.ts';
import { Icon, StateMark } from './icons.tsx';
import { ProgressBar } from './progress-bar.tsx';

interface EcuRowProps {
  readonly branch: Branch;
  readonly isChosen: boolean;
  readonly isEntry: boolean;
  readonly isClosed: boolean;
}

/** One ECU. Draws itself when its ECU changes, and nobody else. */
export function EcuRow({ branch, isChosen, isEntry, isClosed }: EcuRowProps) {
  const { ecuId, level, hasChildren } = branch;
  const view = viewSignal(ecuId);
  if (view === undefined) return null;
  return (
    <div
      role="row"
      class={`tree-row row-${view.value.category}`}
      data-ecu={ecuId}
      aria-level={level}
      aria-selected={isChosen}
      {...(hasChildren ? { 'aria-expanded': !isClosed } : {})}
      tabIndex={isEntry ? 0 : -1}
      onClick={() => go('vehicle', ecuId)}
    >
      <span role="gridcell" class="cell-ecu">
        {Array.from({ length: level - 1 }, (_, index) => (
          <span key={index} class="rail" aria-hidden="true" />
        ))}
        {hasChildren ? (
          <Twist ecuId={ecuId} isClosed={isClosed} />
        ) : (
          <span class="twist" aria-hidden="true" />
        )}
        <StateMark category={view.value.category} />
        <b title={ecuId}>{ecuId}</b>
      </span>
      <Cells view={view} />
    </div>
  );
}

/** For the mouse: keys open and close on the line itself. */
function Twist({ ecuId, isClosed }: { readonly ecuId: string; readonly isClosed: boolean }) {
  return (
    <span
      class={isClosed ? 'twist' : 'twist open'}
      aria-hidden="true"
      onClick={(event) => {
        event.stopPropagation();
        setClosed(ecuId, !isClosed);
      }}
    >
      <Icon name="chevron" size={12} />
    </span>
  );
}

function Cells({ view }: { readonly view: Signal<EcuView> }) {
  const { ecu, category, job } = view.value;
  const isRunning = job?.outcome === 'running';
  const target = isRunning && job.targetVersion !== ecu.firmwareVersion ? job.targetVersion : '';
  const remaining = durationMs(job?.progress?.remaining);
  // The average of the last seconds says nothing any more when nothing is left to place.
  const isPlacing = job?.progress !== undefined && job.progress.bytesPerSecond > 0 && job.percent < 99;
  const isMoving = isRunning && category === 'updating';
  return (
    <>
      <span role="gridcell" class="cell-version mono">
        {ecu.firmwareVersion || '—'}
        {target !== '' && (
          <>
            <span class="quiet"> → </span>
            {target}
          </>
        )}
      </span>
      <span role="gridcell" class="cell-slot mono quiet">
        {ecu.slot || '—'}
      </span>
      <span role="gridcell" class={`cell-state text-${category}`}>
        {headlineOf(view.value, true)}
      </span>
      <span role="gridcell" class="cell-progress">
        {isRunning ? (
          <>
            <ProgressBar
              percent={job.kind === 'rollback' ? undefined : job.percent}
              label={`${job.kind} of ${ecu.ecuId}`}
              category={category}
            />
            <span class="percent">{job.kind === 'rollback' ? '' : `${job.percent} %`}</span>
          </>
        ) : (
          <span class="quiet unlit">{job?.outcome === 'committed' ? '100 %' : ''}</span>
        )}
      </span>
      <span role="gridcell" class="cell-rate">
        {isMoving && job.progress !== undefined && (
          <>
            <span>{isPlacing && rateText(job.progress.bytesPerSecond)}</span>
            <span class="quiet">
              {remaining === undefined ? '' : `${spanText(Math.ceil(remaining / 1000) * 1000)} left`}
            </span>
          </>
        )}
      </span>
    </>
  );
}
