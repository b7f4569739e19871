import { connection } from '#dashboard/page/model/connection.ts';
import { dialog } from '#dashboard/page/model/dialogs.ts';
import { nextTheme, theme } from '#dashboard/page/model/preferences.ts';
import { go, route } from '#dashboard/page/model/route.ts';
import { signOut } from '#dashboard/page/model/session.ts';
import { only } from '#dashboard/page/model/tree-state.ts';
import { identity, summary, tree } from '#dashboard/page/model/vehicle.ts';
import { type Category, categories } from '#dashboard/page/words/states.ts';
import { Icon, StateMark } from './icons.tsx';

interface HeaderProps {
  readonly caller: string;
  readonly isOperator: boolean;
}

/** The vehicle at one look, and who looks. */
export function Header({ caller, isOperator }: HeaderProps) {
  return (
    <header class="header">
      <div class="who">
        <span class="logo" aria-hidden="true">
          <Icon name="updating" size={18} />
        </span>
        <div>
          <h1>{identity.value?.vehicleId ?? 'Vehicle'}</h1>
          <p class="quiet">
            {identity.value === undefined
              ? 'waiting for its answer'
              : `${tree.value.length} ECUs, answered by ${identity.value.ownEcuId}`}
          </p>
        </div>
      </div>
      <Summary />
      <div class="tools">
        <ConnectionMark />
        <span class="role" title={`Signed in as ${caller}`}>
          <b>{caller}</b> <span class="tag">{isOperator ? 'operator' : 'viewer'}</span>
        </span>
        <button
          type="button"
          class="tool"
          onClick={nextTheme}
          aria-label={`Colours: ${theme.value}. Change`}
          title={`Colours: ${theme.value}`}
        >
          <Icon name={theme.value === 'dark' ? 'moon' : theme.value === 'light' ? 'sun' : 'system'} />
        </button>
        <button
          type="button"
          class="tool"
          aria-label="Keys and help"
          title="Keys and help"
          onClick={() => {
            dialog.value = { kind: 'help' };
          }}
        >
          <Icon name="help" />
        </button>
        <button type="button" class="tool" aria-label="Sign out" title="Sign out" onClick={() => signOut()}>
          <Icon name="out" />
        </button>
      </div>
    </header>
  );
}

/** How many are how; a click shows only those. */
function Summary() {
  const counts = summary.value;
  return (
    <div class="summary" role="group" aria-label="ECUs by state; press to show only these">
      {categories.map((category) => (
        <button
          key={category}
          type="button"
          class={`pill pill-${category}${counts[category] === 0 ? ' none' : ''}`}
          aria-pressed={only.value === category}
          onClick={() => choose(category)}
        >
          <StateMark category={category} />
          <b>{counts[category]}</b> {category}
        </button>
      ))}
    </div>
  );
}

function choose(category: Category): void {
  only.value = only.value === category ? undefined : category;
  if (route.value.place !== 'vehicle') go('vehicle');
}

function ConnectionMark() {
  const { kind } = connection.value;
  const words = { live: 'Live', lost: 'Reconnecting', connecting: 'Connecting' }[kind];
  return (
    <span class={`connection connection-${kind}`}>
      <span class="dot" aria-hidden="true" />
      {words}
    </span>
  );
}
