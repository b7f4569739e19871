import type { Style } from './render-style.ts';
import { paint } from './render-style.ts';

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `columns` columns, filled up to `fraction` (0 to 1). It looks full only when `fraction` is 1. */
export function bar(style: Style, fraction: number, columns: number): string {
  const share = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0));
  if (!style.unicode) {
    const inner = columns - 2;
    const full = Math.floor(share * inner);
    return `[${'#'.repeat(full)}${'-'.repeat(inner - full)}]`;
  }
  const steps = Math.floor(share * columns * 8);
  const full = Math.floor(steps / 8);
  const part = eighths[steps % 8] ?? '';
  const rest = columns - full - (part === '' ? 0 : 1);
  return paint(style, 'green', '█'.repeat(full) + part) + paint(style, 'dim', '░'.repeat(rest));
}
