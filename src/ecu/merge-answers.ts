import type { EcuId } from '#domain/ecu.ts';
import type { ChildEcuError } from './child-ecu-error.ts';
import type { EcuAnswer } from './ecu.ts';
import type { Route } from './route.ts';

/** What became of the request at one child. */
export type ChildOutcome =
  | { readonly answers: readonly EcuAnswer[]; readonly error?: never }
  | { readonly error: ChildEcuError; readonly answers?: never };

export interface Answers {
  readonly own: EcuAnswer | undefined;
  readonly children: ReadonlyMap<EcuId, ChildOutcome>;
}

/**
 * One entry per named ECU, in the order of the request. A child without an answer gets an entry for itself; what lies
 * below it is absent. `answerForUnknown`: whether ECUs that nobody knows get an entry, too.
 */
export function mergeAnswers(route: Route, answers: Answers, answerForUnknown: boolean): EcuAnswer[] {
  const { own, children } = answers;
  const guides = new Map([...route.through].flatMap(([child, ids]) => ids.map((id) => [id, child])));
  const mute = [...children].flatMap(([child, { error }]) => (error === undefined ? [] : [child]));
  const unexplained = new Set<EcuId>();

  const entryOf = (id: EcuId): EcuAnswer | undefined => {
    if (own?.ecuId === id) return own;
    const child = guides.get(id);
    if (child === undefined) return entryOfStray(id);
    const outcome = children.get(child);
    if (outcome?.error !== undefined) {
      unexplained.add(child);
      return child === id ? refusal(id, outcome.error.message) : undefined;
    }
    return (
      firstFor(id, outcome?.answers) ?? refusal(id, `ECU ${child} was asked and gave no answer for ${id}`)
    );
  };

  const entryOfStray = (id: EcuId): EcuAnswer | undefined => {
    const found = [...children.values()].flatMap((outcome) => firstFor(id, outcome.answers) ?? []);
    const entry = found.find(({ result }) => result === 'NO_FAILURE') ?? found[0];
    if (entry !== undefined) return entry;
    if (route.sought.has(id) && mute.length > 0) {
      // It may lie below any child that is mute.
      for (const child of mute) unexplained.add(child);
      return undefined;
    }
    return answerForUnknown
      ? refusal(id, `unknown ECU ${id}: correct the name, or wait until its parent reports it`)
      : undefined;
  };

  const entries = route.named.flatMap((id) => entryOf(id) ?? []);
  const told = new Set(entries.map(({ ecuId }) => ecuId));
  const others = [...unexplained].flatMap((child) => {
    const error = children.get(child)?.error;
    return error === undefined || told.has(child) ? [] : [refusal(child, error.message)];
  });
  return [...entries, ...others];
}

/** Answers to a request that names nobody and is for all: everything that is said, once per ECU. */
export function joinAnswers({ own, children }: Answers): EcuAnswer[] {
  const all = new Map<EcuId, EcuAnswer>();
  if (own !== undefined) all.set(own.ecuId, own);
  for (const [child, { answers, error }] of children) {
    const entries = answers ?? [refusal(child, error.message)];
    for (const entry of entries) if (!all.has(entry.ecuId)) all.set(entry.ecuId, entry);
  }
  return [...all.values()];
}

/** May be asked again later. */
export function refusal(ecuId: EcuId, message: string): EcuAnswer {
  return { ecuId, result: 'RECOVERABLE', message };
}

function firstFor(id: EcuId, answers: readonly EcuAnswer[] | undefined): EcuAnswer | undefined {
  return answers?.find(({ ecuId }) => ecuId === id);
}
