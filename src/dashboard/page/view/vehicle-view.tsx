import { connection } from '#dashboard/page/model/connection.ts';
import { dialog } from '#dashboard/page/model/dialogs.ts';
import { route } from '#dashboard/page/model/route.ts';
import { isFiltered, looked, only } from '#dashboard/page/model/tree-state.ts';
import { allNow, identity, summary, tree, viewSignal } from '#dashboard/page/model/vehicle.ts';
import { isBusy } from '#dashboard/page/words/states.ts';
import { EcuDetail } from './ecu-detail.tsx';
import { EcuTree } from './ecu-tree.tsx';
import { Icon } from './icons.tsx';
import { isShort, LastEvents, Overview } from './overview.tsx';

/** The tree, and beside it what is to know of the chosen ECU, or of the vehicle. */
export function VehicleView({ isOperator }: { readonly isOperator: boolean }) {
  if (identity.value === undefined) return <Loading />;
  const { ecuId } = route.value;
  const chosen = ecuId === undefined || tree.value.length === 0 ? undefined : viewSignal(ecuId);
  return (
    <div class={ecuId === undefined ? 'vehicle' : 'vehicle with-detail'}>
      <div class="left">
        <section class="panel tree-panel" aria-labelledby="tree-title">
          <div class="panel-head">
            <h2 id="tree-title">ECUs</h2>
            <label class="search">
              <Icon name="search" size={14} />
              <span class="unseen">Search ECUs</span>
              <input
                type="search"
                placeholder="Search ECUs"
                value={looked.value}
                onInput={(event) => {
                  looked.value = event.currentTarget.value;
                }}
              />
            </label>
            {isOperator && <Actions />}
          </div>
          {isFiltered.value && <FilterNote />}
          <EcuTree />
        </section>
        {isShort(tree.value.length) && <LastEvents />}
      </div>
      {ecuId === undefined ? (
        <Overview isOperator={isOperator} />
      ) : (
        <EcuDetail key={ecuId} ecuId={ecuId} view={chosen} isOperator={isOperator} />
      )}
    </div>
  );
}

function Actions() {
  void summary.value;
  const all = allNow();
  const busy = all.filter(({ ecu }) => isBusy(ecu.state));
  return (
    <div class="actions">
      {busy.length > 0 && (
        <button
          type="button"
          class="button"
          onClick={() => {
            dialog.value = { kind: 'abort', ecuIds: busy.map(({ ecu }) => ecu.ecuId) };
          }}
        >
          Abort…
        </button>
      )}
      <button
        type="button"
        class="button primary"
        onClick={() => {
          dialog.value = { kind: 'update', ecuIds: all.map(({ ecu }) => ecu.ecuId) };
        }}
      >
        Update…
      </button>
    </div>
  );
}

function FilterNote() {
  return (
    <p class="filter-note">
      Showing only {only.value ?? ''} ECUs{looked.value.trim() === '' ? '' : ` with “${looked.value.trim()}”`}
      .{' '}
      <button
        type="button"
        class="link"
        onClick={() => {
          only.value = undefined;
          looked.value = '';
        }}
      >
        Show all
      </button>
    </p>
  );
}

function Loading() {
  return (
    <div class="vehicle" aria-busy="true">
      <section class="panel tree-panel" aria-label="ECUs">
        <div class="panel-head">
          <h2>ECUs</h2>
          <span class="quiet">
            {connection.value.kind === 'lost' ? 'not known yet' : 'asking the vehicle…'}
          </span>
        </div>
        <div class="bones" aria-hidden="true">
          {[0, 1, 2, 3].map((line) => (
            <span key={line} class="bone" />
          ))}
        </div>
      </section>
    </div>
  );
}
