import { styleText } from 'node:util';

/** What the place that output goes to can show. */
export interface Style {
  /** Whether escape sequences for colours may be written. */
  readonly colour: boolean;
  /** Whether characters outside ASCII may be written. */
  readonly unicode: boolean;
  /** Columns of the terminal; Infinity when output goes to a file or a pipe. */
  readonly columns: number;
}

/** Style of output that no terminal shows. */
export const plainStyle: Style = { colour: false, unicode: false, columns: Number.POSITIVE_INFINITY };

interface Output {
  readonly isTTY: boolean;
  /** Columns of the terminal, when they are known. */
  readonly columns: number | undefined;
}

/** What an output can show, by its kind and by the environment: NO_COLOR (https://no-color.org), TERM, locale. */
export function styleOf(output: Output, env: Readonly<Record<string, string | undefined>>): Style {
  const noColour = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return {
    colour: output.isTTY && !noColour,
    unicode: /utf-?8/i.test(locale),
    columns: output.isTTY ? Math.max(20, output.columns ?? 80) : Number.POSITIVE_INFINITY,
  };
}

export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** `text` in a colour, where colours can be shown. */
export function paint(style: Style, how: Paint, text: string): string {
  // The caller has decided already; `validateStream` would make styleText decide again by process.stdout.
  return style.colour && text !== '' ? styleText(how, text, { validateStream: false }) : text;
}

/** The character for "more of this was cut". */
export function ellipsisOf(style: Style): string {
  return style.unicode ? '…' : '...';
}
