/** What a person at a view can want. */
export type Key =
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'end'
  | 'help'
  | 'details'
  | 'filter'
  | 'redraw'
  | 'escape'
  | 'quit'
  | 'interrupt'
  | 'suspend';

const plain: Readonly<Record<string, Key>> = {
  k: 'up',
  j: 'down',
  b: 'page-up',
  ' ': 'page-down',
  g: 'home',
  G: 'end',
  '?': 'help',
  h: 'help',
  d: 'details',
  f: 'filter',
  q: 'quit',
  Q: 'quit',
  '\u0003': 'interrupt',
  '\u000c': 'redraw',
  '\u001a': 'suspend',
};

/** What follows ESC [ or ESC O, without modifiers, in the terminals that are around (ECMA-48, xterm, rxvt, Linux). */
const sequences: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '7~': 'home',
  '4~': 'end',
  '8~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
};

// oxlint-disable-next-line no-control-regex -- escape sequences are what this reads
const whole = /^\u001b[[O]([\d;]*)([A-Za-z~])/;
// oxlint-disable-next-line no-control-regex -- escape sequences are what this reads
const begun = /^\u001b[[O][\d;]*$/;

/** Turns what a terminal sends into keys. What it does not know is passed over. */
export class KeyReader {
  #rest = '';

  push(text: string): Key[] {
    const keys: Key[] = [];
    let left = this.#rest + text;
    this.#rest = '';
    while (left !== '') {
      const sequence = whole.exec(left);
      if (sequence !== null) {
        const [all, numbers = '', end = ''] = sequence;
        const number = numbers.split(';')[0] ?? '';
        const key = sequences[end === '~' ? `${number}~` : end];
        if (key !== undefined) keys.push(key);
        left = left.slice(all.length);
      } else if (begun.test(left)) {
        // The rest of a sequence comes with the next bytes.
        this.#rest = left;
        left = '';
      } else {
        const key = left.startsWith('\u001b') ? 'escape' : plain[left.charAt(0)];
        if (key !== undefined) keys.push(key);
        left = left.slice(1);
      }
    }
    return keys;
  }
}
