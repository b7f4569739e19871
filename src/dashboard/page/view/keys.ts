import { dialog } from '#dashboard/page/model/dialogs.ts';
import { nextTheme, shortcutsOn } from '#dashboard/page/model/preferences.ts';
import { go, route } from '#dashboard/page/model/route.ts';
import { allNow } from '#dashboard/page/model/vehicle.ts';

interface Shortcut {
  readonly key: string;
  readonly does: string;
  readonly run: (isOperator: boolean) => void;
}

/** All of them, as the help lists them. */
export const shortcuts: readonly Shortcut[] = [
  { key: '1', does: 'Vehicle', run: () => go('vehicle') },
  { key: '2', does: 'Journal', run: () => go('journal') },
  { key: '3', does: 'Signals', run: () => go('signals') },
  { key: '4', does: 'Diagnostics', run: () => go('diagnostics') },
  { key: '/', does: 'Search in this view', run: focusSearch },
  { key: 'u', does: 'Update ECUs (operators)', run: openUpdate },
  { key: 't', does: 'Change colours', run: nextTheme },
  {
    key: '?',
    does: 'This list',
    run: () => {
      dialog.value = { kind: 'help' };
    },
  },
];

export function listenForKeys(signal: AbortSignal, isOperator: boolean): void {
  addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (dialog.peek() !== undefined || isTyping(event.target)) return;
      if (event.key === 'Escape' && route.peek().ecuId !== undefined) return go('vehicle');
      if (!shortcutsOn.peek()) return;
      const shortcut = shortcuts.find(({ key }) => key === event.key);
      if (shortcut === undefined) return;
      event.preventDefault();
      shortcut.run(isOperator);
    },
    { signal },
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function focusSearch(): void {
  document.querySelector<HTMLInputElement>('main input[type="search"]')?.focus();
}

function openUpdate(isOperator: boolean): void {
  if (!isOperator) return;
  const { ecuId } = route.peek();
  dialog.value = {
    kind: 'update',
    ecuIds: ecuId === undefined ? allNow().map(({ ecu }) => ecu.ecuId) : [ecuId],
  };
}
