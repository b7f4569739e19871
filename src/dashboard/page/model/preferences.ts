import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const themes: readonly Theme[] = ['system', 'light', 'dark'];

/** What is drawn: follows the system unless somebody chose. */
export const theme = signal<Theme>(themes.find((name) => name === read('theme')) ?? 'system');

/** Single-key shortcuts can be switched off (WCAG 2.1.4). */
export const shortcutsOn = signal(read('shortcuts') !== 'off');

/** Grows when colours change: plots draw anew. */
export const colours = signal(0);

effect(() => {
  const chosen = theme.value;
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  write('theme', chosen);
  queueMicrotask(() => colours.value++);
});

effect(() => write('shortcuts', shortcutsOn.value ? 'on' : 'off'));

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.value++);

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'system';
}

/** Storage may be forbidden: then nothing is remembered. */
export function read(name: string): string | undefined {
  try {
    return localStorage.getItem(`ota.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function write(name: string, text: string): void {
  try {
    localStorage.setItem(`ota.${name}`, text);
  } catch {
    // Remembered for as long as the page is open.
  }
}
