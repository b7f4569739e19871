import { useEffect } from 'preact/hooks';
import { announcement } from '#dashboard/page/model/announcer.ts';
import { connection, followVehicle, forgetEverything } from '#dashboard/page/model/connection.ts';
import { followJournal } from '#dashboard/page/model/journal.ts';
import { addressOf, type Place, route } from '#dashboard/page/model/route.ts';
import { followSignals } from '#dashboard/page/model/signals.ts';
import { identity } from '#dashboard/page/model/vehicle.ts';
import { ConnectionBanner } from './connection-banner.tsx';
import { DiagnosticsView } from './diagnostics-view.tsx';
import { DialogHost } from './dialog-host.tsx';
import { Header } from './header.tsx';
import { JournalView } from './journal-view.tsx';
import { listenForKeys } from './keys.ts';
import { SignalsView } from './signals-view.tsx';
import { VehicleView } from './vehicle-view.tsx';

const places: readonly { readonly place: Place; readonly title: string }[] = [
  { place: 'vehicle', title: 'Vehicle' },
  { place: 'journal', title: 'Journal' },
  { place: 'signals', title: 'Signals' },
  { place: 'diagnostics', title: 'Diagnostics' },
];

interface ShellProps {
  readonly caller: string;
  readonly isOperator: boolean;
}

/** Everything behind the door. */
export function Shell({ caller, isOperator }: ShellProps) {
  useEffect(() => {
    const end = new AbortController();
    void followVehicle(end.signal);
    void followJournal(end.signal);
    followSignals(end.signal);
    listenForKeys(end.signal, isOperator);
    return () => {
      end.abort();
      forgetEverything();
    };
  }, [caller, isOperator]);
  const { place } = route.value;
  const vehicleId = identity.value?.vehicleId;
  useEffect(() => {
    document.title = vehicleId === undefined ? 'Vehicle · OTA' : `${vehicleId} · OTA`;
  }, [vehicleId]);
  return (
    <div class={connection.value.kind === 'lost' ? 'shell stale' : 'shell'}>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <Header caller={caller} isOperator={isOperator} />
      <nav class="places" aria-label="Views">
        {places.map((known) => (
          <a
            key={known.place}
            href={addressOf({ place: known.place, ecuId: undefined })}
            aria-current={place === known.place ? 'page' : undefined}
          >
            {known.title}
          </a>
        ))}
      </nav>
      <ConnectionBanner />
      <main id="main" class="main" tabIndex={-1}>
        <View place={place} isOperator={isOperator} />
      </main>
      <DialogHost />
      <p class="unseen" role="status" aria-live="polite">
        {announcement.value}
      </p>
    </div>
  );
}

function View({ place, isOperator }: { readonly place: Place; readonly isOperator: boolean }) {
  switch (place) {
    case 'vehicle':
      return <VehicleView isOperator={isOperator} />;
    case 'journal':
      return <JournalView />;
    case 'signals':
      return <SignalsView />;
    case 'diagnostics':
      return <DiagnosticsView />;
  }
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
