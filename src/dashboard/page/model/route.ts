import { signal } from '@preact/signals';

export type Place = 'vehicle' | 'journal' | 'signals' | 'diagnostics';

/** Where the page is; kept in the fragment, so that reload and back work. */
export interface Route {
  readonly place: Place;
  /** The ECU whose details are shown. */
  readonly ecuId: string | undefined;
}

const places: readonly Place[] = ['vehicle', 'journal', 'signals', 'diagnostics'];

export const route = signal<Route>(parse(location.hash));

addEventListener('hashchange', () => {
  route.value = parse(location.hash);
});

function parse(hash: string): Route {
  const [name, id] = hash.replace(/^#\/?/, '').split('/');
  const place = places.find((known) => known === name) ?? 'vehicle';
  return { place, ecuId: place === 'vehicle' && id !== undefined && id !== '' ? decode(id) : undefined };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function addressOf({ place, ecuId }: Route): string {
  return ecuId === undefined ? `#/${place}` : `#/${place}/${encodeURIComponent(ecuId)}`;
}

export function go(place: Place, ecuId?: string): void {
  const next = addressOf({ place, ecuId });
  // Moving through the tree must not fill the history.
  if (ecuId !== undefined && route.value.ecuId !== undefined) {
    history.replaceState(null, '', next);
    route.value = parse(next);
  } else location.hash = next;
}
