import { type Comparison, comparisons, type Expression, ExpressionError, type Operand } from './syntax.ts';

/** Longer or deeper ones are mistakes, or attacks. */
const maxChars = 4096;
const maxDepth = 64;

type Token =
  | { readonly kind: 'word' | 'symbol' | 'end'; readonly text: string; readonly at: number }
  | { readonly kind: 'literal'; readonly value: number | string; readonly text: string; readonly at: number };

const tokenPattern =
  /\s*(?:(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_.])|(?<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)|(?<string>"[^"\n]*"|'[^'\n]*')|(?<symbol>==|!=|<=|>=|&&|\|\||[<>!()]))/y;

/**
 * Reads a condition such as `Vehicle.Speed < 0.1 and not Vehicle.IsMoving`. Words and signs mean the same: and &&, or ||,
 * not !. Functions: `empty(path)`, `known(path)`. Errors: ExpressionError.
 */
export function parseExpression(text: string): Expression {
  if (text.length > maxChars) throw new ExpressionError(`longer than ${maxChars} characters`, maxChars);
  const parser = new Parser(tokens(text));
  const expression = parser.either(0);
  parser.expectEnd();
  return expression;
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  let at = 0;
  for (;;) {
    const rest = text.slice(at);
    const start = at + (rest.length - rest.trimStart().length);
    if (start >= text.length) break;
    pattern.lastIndex = at;
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined)
      throw new ExpressionError(`${JSON.stringify(text[start])} has no meaning here`, start);
    const { number, word, string, symbol = '' } = groups;
    if (number !== undefined) found.push({ kind: 'literal', value: Number(number), text: number, at: start });
    else if (word !== undefined) found.push({ kind: 'word', text: word, at: start });
    else if (string !== undefined)
      found.push({ kind: 'literal', value: string.slice(1, -1), text: string, at: start });
    else found.push({ kind: 'symbol', text: symbol, at: start });
    at = pattern.lastIndex;
  }
  found.push({ kind: 'end', text: '', at: text.length });
  return found;
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  either(depth: number): Expression {
    return this.#list('or', ['or', '||'], (deeper) => this.#both(deeper), depth);
  }

  expectEnd(): void {
    const token = this.#peek();
    if (token.kind !== 'end') throw this.#unexpected(token, 'the end, `and` or `or`');
  }

  #both(depth: number): Expression {
    return this.#list('and', ['and', '&&'], (deeper) => this.#one(deeper), depth);
  }

  #list(
    kind: 'or' | 'and',
    signs: readonly string[],
    term: (depth: number) => Expression,
    depth: number,
  ): Expression {
    const terms = [term(depth)];
    while (this.#take(...signs)) terms.push(term(depth));
    const [only] = terms;
    return terms.length === 1 && only !== undefined ? only : { kind, terms };
  }

  #one(depth: number): Expression {
    if (depth > maxDepth) throw new ExpressionError(`nested deeper than ${maxDepth} levels`, this.#peek().at);
    if (this.#take('not', '!')) return { kind: 'not', term: this.#one(depth + 1) };
    if (this.#take('(')) {
      const inner = this.either(depth + 1);
      this.#expect(')');
      return inner;
    }
    const start = this.#peek();
    if (start.kind === 'word' && (start.text === 'empty' || start.text === 'known')) {
      this.#next++;
      this.#expect('(');
      const path = this.#path();
      this.#expect(')');
      return { kind: start.text, path };
    }
    const left = this.#operand();
    const sign = this.#peek();
    const by = comparisons.find((known: Comparison) => sign.kind === 'symbol' && known === sign.text);
    if (by !== undefined) {
      this.#next++;
      return { kind: 'compare', by, left, right: this.#operand() };
    }
    if (left.kind === 'signal') return { kind: 'truth', path: left.path };
    throw this.#unexpected(sign, 'a comparison such as ==');
  }

  #operand(): Operand {
    const token = this.#peek();
    if (token.kind === 'literal') {
      this.#next++;
      return { kind: 'literal', value: token.value };
    }
    if (token.kind === 'word' && (token.text === 'true' || token.text === 'false')) {
      this.#next++;
      return { kind: 'literal', value: token.text === 'true' };
    }
    return { kind: 'signal', path: this.#path() };
  }

  #path(): string {
    const token = this.#peek();
    if (token.kind !== 'word' || !token.text.includes('.')) {
      throw this.#unexpected(
        token,
        'a signal such as Vehicle.Speed, a number, a text in quotes, true or false',
      );
    }
    this.#next++;
    return token.text;
  }

  #take(...texts: readonly string[]): boolean {
    const token = this.#peek();
    if (token.kind === 'literal' || token.kind === 'end' || !texts.includes(token.text)) return false;
    this.#next++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#unexpected(this.#peek(), `\`${text}\``);
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: 0 };
  }

  #unexpected({ kind, text, at }: Token, wanted: string): ExpressionError {
    return new ExpressionError(`${wanted} is expected, not ${kind === 'end' ? 'the end' : text}`, at);
  }
}
