import type { OtaFailure } from '#domain/failure.ts';
import type { FailureReport } from '#domain/status.ts';

/** Reports travel in every status of every ECU of the vehicle. */
export const maxReportChars = 2048;
const maxCauses = 16;

/** What readers are told of a failure. */
export function reportOf(failure: OtaFailure): FailureReport {
  return {
    type: failure.type,
    reason: cut(failure.reason),
    traceback: cut(causes(failure.cause).join('\n')),
  };
}

function causes(error: unknown): string[] {
  const chain: string[] = [];
  for (let at = error; at !== undefined && chain.length < maxCauses; ) {
    const code = at instanceof Error && 'code' in at ? ` [${String(at.code)}]` : '';
    chain.push(`${at instanceof Error ? at.name : typeof at}${code}: ${messageOf(at)}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return chain;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function cut(text: string): string {
  return text.length <= maxReportChars ? text : `${text.slice(0, maxReportChars - 1)}…`;
}
