import type { Signal } from '@preact/signals';
import { second } from '#dashboard/page/model/clock.ts';
import { dialog } from '#dashboard/page/model/dialogs.ts';
import type { EcuView } from '#dashboard/page/model/job.ts';
import { recent } from '#dashboard/page/model/journal.ts';
import { go } from '#dashboard/page/model/route.ts';
import { identity } from '#dashboard/page/model/vehicle.ts';
import { headlineOf, isBooting } from '#dashboard/page/words/headline.ts';
import { isBusy } from '#dashboard/page/words/states.ts';
import { agoText, timeMs } from '#dashboard/page/words/units.ts';
import { OtaState, Reachability } from '#gen/ota/console/v1/types_pb.ts';
import { BlackBoxes } from './black-boxes.tsx';
import { EventList } from './event-list.tsx';
import { FailureCard } from './failure-card.tsx';
import { Icon, StateMark } from './icons.tsx';
import { JobPanel } from './job-panel.tsx';
import { Probes } from './probes.tsx';
import { TransferPlots } from './transfer-plots.tsx';

interface EcuDetailProps {
  readonly ecuId: string;
  readonly view: Signal<EcuView> | undefined;
  readonly isOperator: boolean;
}

/** All that is known of one ECU. */
export function EcuDetail({ ecuId, view, isOperator }: EcuDetailProps) {
  return (
    <section class="panel detail" aria-labelledby="detail-title">
      <div class="panel-head">
        <button type="button" class="tool back" aria-label="Back to all ECUs" onClick={() => go('vehicle')}>
          <Icon name="back" />
        </button>
        <h2 id="detail-title" class="mono">
          {ecuId}
        </h2>
        {view !== undefined && <EcuActions view={view.value} isOperator={isOperator} />}
        <button type="button" class="tool close" aria-label="Close details" onClick={() => go('vehicle')}>
          <Icon name="close" />
        </button>
      </div>
      {view === undefined ? (
        <p class="empty">This vehicle has no ECU of this name, or has not told of it yet.</p>
      ) : (
        <Body view={view.value} />
      )}
    </section>
  );
}

function Body({ view }: { readonly view: EcuView }) {
  const { ecu, job } = view;
  const events = recent.value.filter(({ ecuId }) => ecuId === ecu.ecuId).slice(0, 12);
  return (
    <div class="detail-body">
      <State view={view} />
      {ecu.failure !== undefined && <FailureCard failure={ecu.failure} state={ecu.state} />}
      {ecu.waitingFor.length > 0 && (
        <div class="note note-wait">
          <Icon name="clock" />
          <div>
            <h3>The update waits</h3>
            <ul>
              {ecu.waitingFor.map((reason) => (
                <li key={reason}>{reason}</li>
              ))}
            </ul>
            <p class="quiet">It goes on by itself when these hold.</p>
          </div>
        </div>
      )}
      {job !== undefined && <JobPanel job={job} category={view.category} />}
      {ecu.healthProbes.length > 0 && <Probes probes={ecu.healthProbes} />}
      {job?.progress !== undefined && <TransferPlots ecuId={ecu.ecuId} />}
      <BlackBoxes ecuId={ecu.ecuId} state={ecu.state} />
      <section aria-labelledby="ecu-events">
        <h3 id="ecu-events">Last events</h3>
        {events.length === 0 ? (
          <p class="quiet">Nothing of this ECU in the newest part of the journal.</p>
        ) : (
          <EventList events={events} withEcu={false} />
        )}
      </section>
    </div>
  );
}

function State({ view }: { readonly view: EcuView }) {
  const { ecu, category } = view;
  const seen = timeMs(ecu.lastSeenTime);
  const isOwn = ecu.ecuId === identity.value?.ownEcuId;
  const facts: readonly (readonly [string, string])[] = [
    ['Runs', ecu.firmwareVersion || 'not known'],
    ['Slot', ecu.slot || 'not told'],
    ['Boot control', ecu.bootloader || 'not told'],
    ['Client', ecu.otaclientVersion || 'not told'],
    ['Heard', isOwn ? 'answers itself' : seen === undefined ? 'never' : agoText(second.value - seen)],
    ['Below', ecu.parentEcuId || 'nobody: it answers for the vehicle'],
    ...[['Release', ecu.releaseName || ecu.releaseId] as const, ['Image', ecu.imageId] as const].filter(
      ([, value]) => value !== '',
    ),
  ];
  return (
    <>
      <p class={`headline text-${category}`}>
        <StateMark category={category} />
        {headlineOf(view)}
      </p>
      {category === 'silent' && <p class="quiet">{silenceText(view)}</p>}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function silenceText(view: EcuView): string {
  if (view.ecu.reachability === Reachability.NEVER_SEEN) {
    return 'It belongs to the vehicle by configuration, and has not answered since the daemon above it started. Check its power, its address in ecu_info.yml, and that its daemon runs.';
  }
  if (isBooting(view)) {
    return 'It fell silent at the end of an update: it may be booting the new release. It counts as lost only after a long time.';
  }
  return 'It does not answer. What is shown is the last that was known. Check its power and network, and the log of the daemon above it.';
}

function EcuActions({ view, isOperator }: { readonly view: EcuView; readonly isOperator: boolean }) {
  const { ecu } = view;
  if (!isOperator)
    return (
      <span class="tag" title="Starting and stopping needs the role operator">
        view only
      </span>
    );
  const busy = isBusy(ecu.state);
  const ask = (kind: 'update' | 'rollback' | 'abort') => () => {
    dialog.value = { kind, ecuIds: [ecu.ecuId] };
  };
  return (
    <div class="actions">
      {busy ? (
        <button
          type="button"
          class="button"
          disabled={ecu.state === OtaState.ABORTING}
          onClick={ask('abort')}
        >
          Abort…
        </button>
      ) : (
        <>
          <button type="button" class="button" onClick={ask('rollback')}>
            Roll back…
          </button>
          <button type="button" class="button primary" onClick={ask('update')}>
            Update…
          </button>
        </>
      )}
    </div>
  );
}
