import type { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from '#cli/render-text.ts';

const clearAll = '\u001b[2J';
const clearLineRest = '\u001b[K';
// Terminals that know it show a frame only when it is whole; the others ignore it.
const beginFrame = '\u001b[?2026h';
const endFrame = '\u001b[?2026l';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Draws frames that fill a terminal, and of each only the lines that are not there already: nothing flickers. */
export class Painter {
  readonly #out: Writable;
  #shown: readonly string[] = [];
  #size: Size = { columns: 0, rows: 0 };

  constructor(out: Writable) {
    this.#out = out;
  }

  /** Draws `lines`, none wider than the terminal; those that are too many are left out. */
  draw(lines: readonly string[], size: Size): void {
    const { columns, rows } = size;
    const resized = columns !== this.#size.columns || rows !== this.#size.rows;
    const shown = resized ? [] : this.#shown;
    const wanted = lines.slice(0, rows);
    let changes = resized ? clearAll : '';
    for (let row = 0; row < Math.max(wanted.length, shown.length); row += 1) {
      const line = wanted[row] ?? '';
      if (line === shown[row] || (line === '' && shown[row] === undefined)) continue;
      // Behind a full line the cursor stands on its last character, and that would be cleared.
      const isFull = displayWidth(stripVTControlCharacters(line)) >= columns;
      changes += `\u001b[${row + 1};1H${line}${isFull ? '' : clearLineRest}`;
    }
    this.#size = size;
    this.#shown = wanted;
    if (changes !== '') this.#out.write(beginFrame + changes + endFrame);
  }

  /** The next frame is drawn whole: somebody else wrote to the terminal. */
  forget(): void {
    this.#size = { columns: 0, rows: 0 };
  }
}
