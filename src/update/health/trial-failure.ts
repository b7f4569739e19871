import { OtaFailure } from '#domain/failure.ts';
import type { FailedProbe, TrialEnd } from '#domain/trial-end.ts';

/** So much of what a failing probe said goes into the failure's reason. */
const maxTailChars = 300;
const maxTailLines = 3;

/** A newly booted release is not kept; `end` is why, for the black box. */
export class TrialFailure extends OtaFailure {
  readonly end: TrialEnd;

  constructor(end: TrialEnd, options?: { readonly cause?: unknown }) {
    super('health_check_failed', end.detail, options);
    this.end = end;
  }
}

/** A probe failed; `after` says when, if it had passed before. */
export function probeFailed(probe: FailedProbe, after = ''): TrialFailure {
  const lines = probe.output.split(/[\p{Cc}]+/u).filter((line) => line.trim() !== '');
  const tail = lines.slice(-maxTailLines).join(' / ').slice(-maxTailChars);
  // What was asked over the network wrote nothing: it answered, or there was no way to it. Nor do values of signals.
  const isSilent = ['tcp', 'http', 'grpc', 'signal'].includes(probe.kind);
  const told = tail === '' ? '' : isSilent ? ` (${tail})` : `, and wrote: ${tail}`;
  const detail = `check ${probe.name} ${probe.how}${told}${after}`;
  return new TrialFailure({ cause: 'probe_failed', detail, probe });
}

/** What an error says of the end of a trial; undefined when nothing. */
export function trialEndOf(error: unknown): TrialEnd | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof TrialFailure) return at.end;
  return undefined;
}
