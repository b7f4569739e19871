import { displayWidth, padEnd, padStart, truncate } from './render-text.ts';

/** One cell: what is measured, and what is written in its place (the same text with colours). */
export interface Cell {
  readonly text: string;
  readonly painted?: (text: string) => string;
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Columns the widest cell may take; longer text is cut. */
  readonly maxWidth?: number;
}

const gap = '  ';

/** Width of every column: its widest cell or title, at most its `maxWidth`. */
function widths(columns: readonly Column[], rows: readonly (readonly Cell[])[]): number[] {
  return columns.map((column, index) => {
    const cells = rows.map((row) => displayWidth(row[index]?.text ?? ''));
    return Math.min(
      column.maxWidth ?? Number.POSITIVE_INFINITY,
      Math.max(displayWidth(column.title), ...cells),
    );
  });
}

/** Rows under titles, in columns as wide as their widest cell. No line ends with spaces. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: { readonly ellipsis?: string; readonly paintTitle?: (text: string) => string } = {},
): string[] {
  const wanted = widths(columns, rows);
  const line = (cells: readonly Cell[]): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? { text: '' };
        const width = wanted[index] ?? 0;
        const text = truncate(cell.text, width, options.ellipsis);
        const painted = cell.painted === undefined || text === '' ? text : cell.painted(text);
        const padding = padEnd('', width - displayWidth(text));
        if (column.align === 'right') return padStart('', width - displayWidth(text)) + painted;
        return painted + padding;
      })
      .join(gap)
      .trimEnd();
  const paintTitle = options.paintTitle ?? ((text: string): string => text);
  const title = line(columns.map((column) => ({ text: column.title })));
  return [paintTitle(title), ...rows.map(line)];
}
