// Text from peers and files on a terminal: how wide it is, where it may be broken, and what must not reach it.

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

// Wide and full-width ranges of Unicode's East Asian Width (UAX #11), as blocks; emoji are wide by presentation.
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}/u;
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

function graphemeWidth(grapheme: string): number {
  if (zeroWidth.test(grapheme)) return 0;
  return wide.test(grapheme) ? 2 : 1;
}

/** Terminal columns that `text` takes; it must hold no control characters. */
export function displayWidth(text: string): number {
  // Of nearly all text the length is its width: ASCII, Latin, arrows, and what frames and bars are drawn with.
  if (/^[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u2026\u2190-\u21ff\u2500-\u259f\u25b6\u2713]*$/.test(text)) {
    return text.length;
  }
  return graphemes(text).reduce((sum, grapheme) => sum + graphemeWidth(grapheme), 0);
}

/**
 * Makes text from elsewhere harmless: control characters (escape sequences would let a peer write anywhere on the
 * screen) and direction overrides become visible. Line feeds stay when `keepLines` is set.
 */
export function harmless(text: string, keepLines = false): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    if (char === '\t') return ' ';
    if (char === '\n') return keepLines ? char : ' ';
    return char === '\r' ? '' : '\ufffd';
  });
}

/** `text` cut to `columns`, the last of which is then an ellipsis. */
export function truncate(text: string, columns: number, ellipsis = '…'): string {
  if (displayWidth(text) <= columns) return text;
  const room = columns - displayWidth(ellipsis);
  if (room < 0) return '';
  let kept = '';
  let width = 0;
  for (const grapheme of graphemes(text)) {
    width += graphemeWidth(grapheme);
    if (width > room) break;
    kept += grapheme;
  }
  return kept + ellipsis;
}

/** `text` followed by as many spaces as fill `columns`. */
export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

/** As many spaces as fill `columns`, followed by `text`. */
export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - displayWidth(text))) + text;
}

function breakWord(word: string, columns: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  let width = 0;
  for (const grapheme of graphemes(word)) {
    const next = graphemeWidth(grapheme);
    if (width + next > columns && piece !== '') {
      pieces.push(piece);
      piece = '';
      width = 0;
    }
    piece += grapheme;
    width += next;
  }
  return [...pieces, piece];
}

/** `text` as lines of at most `columns`: broken at spaces, inside a word only when the word alone is too long. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ').filter((part) => part !== '')) {
      const joined = line === '' ? word : `${line} ${word}`;
      if (displayWidth(joined) <= columns) {
        line = joined;
        continue;
      }
      if (line !== '') lines.push(line);
      const pieces = displayWidth(word) <= columns ? [word] : breakWord(word, columns);
      line = pieces.pop() ?? '';
      lines.push(...pieces);
    }
    lines.push(line);
  }
  return lines;
}
