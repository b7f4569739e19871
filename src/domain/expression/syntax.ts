/** Ways to compare two operands. */
export const comparisons = ['==', '!=', '<=', '>=', '<', '>'] as const;
export type Comparison = (typeof comparisons)[number];

export type Operand =
  | { readonly kind: 'literal'; readonly value: number | boolean | string }
  /** The latest value of a signal, named by its VSS path. */
  | { readonly kind: 'signal'; readonly path: string };

/** A condition over signals, as the parser makes it. */
export type Expression =
  | { readonly kind: 'or' | 'and'; readonly terms: readonly Expression[] }
  | { readonly kind: 'not'; readonly term: Expression }
  | { readonly kind: 'compare'; readonly by: Comparison; readonly left: Operand; readonly right: Operand }
  /** A signal of type boolean by itself. */
  | { readonly kind: 'truth'; readonly path: string }
  /** Whether a list of texts is empty, for trouble codes. */
  | { readonly kind: 'empty'; readonly path: string }
  /** Whether a signal has a fresh value. */
  | { readonly kind: 'known'; readonly path: string };

/** A text that is no expression. The message says where and what was expected. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  /** Offset in the text, in characters. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(`at character ${at + 1}: ${message}`);
    this.at = at;
  }
}

/** Every signal that an expression asks for, without repetition. */
export function signalsIn(expression: Expression): readonly string[] {
  const paths = new Set<string>();
  const visit = (part: Expression): void => {
    switch (part.kind) {
      case 'or':
      case 'and':
        part.terms.forEach(visit);
        break;
      case 'not':
        visit(part.term);
        break;
      case 'compare':
        for (const operand of [part.left, part.right]) if (operand.kind === 'signal') paths.add(operand.path);
        break;
      case 'truth':
      case 'empty':
      case 'known':
        paths.add(part.path);
        break;
    }
  };
  visit(expression);
  return [...paths];
}
