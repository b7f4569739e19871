import { drawn, transferOf, wholeVehicle } from '#dashboard/page/model/history.ts';
import type { EcuView } from '#dashboard/page/model/job.ts';
import { journalState, recent } from '#dashboard/page/model/journal.ts';
import { go } from '#dashboard/page/model/route.ts';
import { everyone, summary } from '#dashboard/page/model/vehicle.ts';
import { headlineOf, isBooting } from '#dashboard/page/words/headline.ts';
import { durationMs, rateText, remainingText } from '#dashboard/page/words/units.ts';
import { EventList } from './event-list.tsx';
import { StateMark } from './icons.tsx';
import { ProgressBar } from './progress-bar.tsx';
import { TransferPlots } from './transfer-plots.tsx';

/** The vehicle as a whole: what is wrong, what is under way, what happened. */
export function Overview({ isOperator }: { readonly isOperator: boolean }) {
  // Whoever changes state is seen at once, numbers once a second.
  void summary.value;
  const all = everyone.value;
  const wrong = all.filter(
    (view) => (view.category === 'failed' || view.category === 'silent') && !isBooting(view),
  );
  const running = all.filter(({ job }) => job?.outcome === 'running' && job.kind === 'update');
  return (
    <div class="overview">
      <Verdict all={all} wrong={wrong} running={running} />
      {!isOperator && (
        <p class="note-line">
          You look on: updating, rolling back and aborting need the role <b>operator</b>. Sign out to use
          another token.
        </p>
      )}
      <Transfer />
      {!isShort(all.length) && <LastEvents />}
    </div>
  );
}

/** Whether there is room for something below the tree. */
export function isShort(ecus: number): boolean {
  return ecus <= 12;
}

export function LastEvents() {
  return (
    <section class="panel" aria-labelledby="last-title">
      <div class="panel-head">
        <h2 id="last-title">Last events of the vehicle</h2>
        <a class="link" href="#/journal">
          Journal
        </a>
      </div>
      <Last />
    </section>
  );
}

interface VerdictProps {
  readonly all: readonly EcuView[];
  readonly wrong: readonly EcuView[];
  readonly running: readonly EcuView[];
}

/** One sentence, then who is meant. */
function Verdict({ all, wrong, running }: VerdictProps) {
  const sentence =
    wrong.length > 0
      ? `${wrong.length} of ${all.length} ECUs ${wrong.length === 1 ? 'needs' : 'need'} attention`
      : running.length > 0
        ? `${running.length} of ${all.length} ECUs ${running.length === 1 ? 'is' : 'are'} being updated`
        : `All ${all.length} ECUs are well`;
  const tone = wrong.length > 0 ? 'bad' : running.length > 0 ? 'busy' : 'good';
  return (
    <section class={`panel verdict verdict-${tone}`} aria-labelledby="verdict-title">
      <h2 id="verdict-title">{sentence}</h2>
      {running.length > 0 && <Together running={running} />}
      {wrong.length > 0 && (
        <ul class="wrong">
          {wrong.slice(0, 6).map((view) => (
            <li key={view.ecu.ecuId}>
              <StateMark category={view.category} />
              <div>
                <button type="button" class="link mono" onClick={() => go('vehicle', view.ecu.ecuId)}>
                  {view.ecu.ecuId}
                </button>{' '}
                {headlineOf(view)}
                {view.ecu.failure !== undefined && <p class="clip">{view.ecu.failure.reason}</p>}
              </div>
            </li>
          ))}
          {wrong.length > 6 && <li class="quiet">and {wrong.length - 6} more</li>}
        </ul>
      )}
    </section>
  );
}

/** All running updates as one. */
function Together({ running }: { readonly running: readonly EcuView[] }) {
  const percent = Math.floor(running.reduce((sum, { job }) => sum + (job?.percent ?? 0), 0) / running.length);
  const rate = running.reduce((sum, { job }) => sum + (job?.progress?.bytesPerSecond ?? 0), 0);
  const remaining = Math.max(...running.map(({ job }) => durationMs(job?.progress?.remaining) ?? 0));
  const versions = [...new Set(running.map(({ job }) => job?.targetVersion ?? ''))].filter(
    (name) => name !== '',
  );
  return (
    <div class="together">
      <div class="big">
        <ProgressBar percent={percent} label="All running updates" category="updating" />
        <b>{percent} %</b>
      </div>
      <p class="quiet">
        {versions.length === 1 ? `To ${versions[0]} · ` : ''}
        {rateText(rate)}
        {remaining > 0 ? ` · ${remainingText(remaining)} left` : ''}
      </p>
    </div>
  );
}

function Transfer() {
  void drawn.value;
  const hasSome = transferOf(wholeVehicle).times.length > 1;
  return (
    <section class="panel" aria-labelledby="transfer-title">
      <div class="panel-head">
        <h2 id="transfer-title">Transfer</h2>
      </div>
      {hasSome ? (
        <div class="panel-body">
          <TransferPlots ecuId={wholeVehicle} />
        </div>
      ) : (
        <p class="empty">Rate and bytes are plotted here from the moment an update runs.</p>
      )}
    </section>
  );
}

function Last() {
  const events = recent.value.slice(0, 10);
  const state = journalState.value;
  if (events.length > 0) return <EventList events={events} withEcu={true} />;
  if (state.kind === 'loading') return <p class="empty">Reading the journal…</p>;
  if (state.kind === 'lost') return <p class="empty">The journal cannot be read. {state.why}</p>;
  return <p class="empty">Nothing has happened yet.</p>;
}
