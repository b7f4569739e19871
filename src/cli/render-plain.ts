import { withoutSeen } from '#domain/condition-words.ts';
import { progressPieces } from './render-details.ts';
import { harmless } from './render-text.ts';
import { adviceFor, phaseWord } from './render-words.ts';
import type { EcuRow } from './vehicle-view.ts';

/** Progress is worth another line after this many percent. */
const percentStep = 5;

/** Equal for two rows that need not both be told when every change is a line in a log. */
export function plainKey(row: EcuRow): string {
  const { status } = row;
  return JSON.stringify([
    row.presence,
    status?.status,
    status?.firmwareVersion,
    status?.failure?.reason,
    status?.progress?.targetVersion,
    status?.progress?.phase,
    status?.waitingFor.map(withoutSeen),
    row.percent === undefined ? undefined : Math.floor(row.percent / percentStep),
  ]);
}

/** One ECU in one line, for output that is no terminal: `12:31:07Z autoware UPDATING 1.0 -> 2.0 downloading 45% ...`. */
export function plainLine(row: EcuRow, now: number): string {
  const head = `${new Date(now).toISOString().slice(11, 19)}Z ${harmless(row.ecuId)}`;
  const { status } = row;
  if (status === undefined) return `${head} no report yet`;
  if (row.presence === 'silent') return `${head} silent, was ${status.status}`;
  const words = [head, status.status, harmless(status.firmwareVersion) || '-'];
  const { progress, failure } = status;
  if (progress !== undefined) {
    words.push('->', harmless(progress.targetVersion), phaseWord(progress.phase), `${row.percent ?? 0}%`);
    words.push(progressPieces(row, progress).join(', '));
  }
  if (status.waitingFor.length > 0)
    words.push(`(waiting for ${status.waitingFor.map((text) => harmless(text, true)).join('; ')})`);
  if (failure !== undefined) {
    const reason = harmless(failure.reason) || 'no reason given';
    const advice = adviceFor(failure.type, reason);
    words.push(failure.type, reason, advice === '' ? '' : `(what to do: ${advice})`);
  }
  return words.filter((word) => word !== '').join(' ');
}
