import type { UpdateProgress, WorkDone } from '#domain/progress.ts';
import { isBusy } from '#domain/status.ts';
import type { Style } from './render-style.ts';
import { paint } from './render-style.ts';
import { displayWidth, harmless, wrap } from './render-text.ts';
import { humanBytes, humanCount, humanDuration, humanRate } from './render-units.ts';
import { adviceFor, isFailed } from './render-words.ts';
import type { EcuRow } from './vehicle-view.ts';

const indent = '    ';

/** Whole pieces, joined, on as few lines as the terminal's width allows; a piece wider than that is wrapped. */
function joinPieces(pieces: readonly string[], separator: string, columns: number): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const joined = `${lines.at(-1) ?? ''}${separator}${piece}`;
    if (lines.length > 0 && displayWidth(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(...wrap(piece, columns));
  }
  return lines;
}

function workText(name: string, work: WorkDone): string {
  return `${name} ${humanCount(work.files)} (${humanBytes(work.bytes)})`;
}

function downloadText(progress: UpdateProgress): string {
  const { download, filesToDownload, bytesToDownload } = progress;
  const known = filesToDownload >= download.files && filesToDownload > 0;
  if (!known) return workText('download', download);
  const files = `${humanCount(download.files)} of ${humanCount(filesToDownload)}`;
  return `download ${files} (${humanBytes(download.bytes)} of ${humanBytes(bytesToDownload)})`;
}

function receivedText(row: EcuRow, progress: UpdateProgress): string {
  const received = `received ${humanBytes(progress.wireBytes)}`;
  return row.wireBytesPerSecond === undefined
    ? received
    : `${received} at ${humanRate(row.wireBytesPerSecond)}`;
}

/** What an update has done so far, in short pieces. */
export function progressPieces(row: EcuRow, progress: UpdateProgress): string[] {
  // After the reboot: nothing is counted any more, and it may take as long as health checks have to hold.
  if (progress.phase === 'FINALIZING_UPDATE' && progress.totalFiles === 0) {
    return ['the new release is being tried', `${humanDuration(progress.elapsedMs)} so far`];
  }
  const pieces = [
    progress.totalFiles > 0
      ? `${humanCount(progress.totalFiles)} files (${humanBytes(progress.totalBytes)})`
      : '',
    workText('copy', progress.copy),
    workText('link', progress.link),
    downloadText(progress),
    progress.wireBytes > 0 ? receivedText(row, progress) : '',
    progress.filesToRemove > 0
      ? `removed ${humanCount(progress.filesRemoved)} of ${humanCount(progress.filesToRemove)}`
      : '',
    `${humanDuration(progress.elapsedMs)} so far`,
  ];
  return pieces.filter((piece) => piece !== '');
}

function failureLines({ status }: EcuRow, style: Style): string[] {
  if (!isFailed(status)) return [];
  const { columns } = style;
  const failure = status?.failure;
  // Older daemons forget the reason when they restart.
  if (failure === undefined) return wrap("no reason is known; look at this ECU's log", columns);
  const reason = harmless(failure.reason, true) || 'no reason given';
  const advice = adviceFor(failure.type, reason);
  return [
    ...wrap(`${failure.type} ${reason}`, columns).map((line) => paint(style, 'red', line)),
    ...(advice === '' ? [] : wrap(`What to do: ${advice}.`, columns)),
  ];
}

function waitingLines({ status }: EcuRow, style: Style): string[] {
  if (status === undefined || status.waitingFor.length === 0) return [];
  const title = isBusy(status.status) ? 'waiting for:' : 'an update has to wait for:';
  const conditions = status.waitingFor.flatMap((text) => wrap(`- ${harmless(text, true)}`, style.columns));
  return [title, ...conditions].map((line) => paint(style, 'yellow', line));
}

/** Probes of a first boot: all are named, those that fail with what they said. */
function probeLines({ status }: EcuRow, style: Style): string[] {
  const probes = status?.healthProbes ?? [];
  if (probes.length === 0) return [];
  const failing = probes.filter(({ passes }) => !passes);
  const title = `health checks: ${probes.length - failing.length} of ${probes.length} pass`;
  const said = failing.flatMap(({ name, output }) =>
    wrap(`- ${harmless(name)}${output === '' ? '' : `: ${harmless(output, true)}`}`, style.columns),
  );
  return [title, ...said].map((line) => paint(style, failing.length === 0 ? 'dim' : 'yellow', line));
}

/** What an update has done so far, on as many lines as it takes. */
export function progressLines(row: EcuRow, progress: UpdateProgress, style: Style): string[] {
  const separator = style.unicode ? ' · ' : ', ';
  const lines = joinPieces(progressPieces(row, progress), separator, style.columns).map((line) =>
    paint(style, 'dim', line),
  );
  if (progress.downloadErrors === 0) return lines;
  const text = `${humanCount(progress.downloadErrors)} failed download attempts (retried)`;
  return [...lines, ...wrap(text, style.columns).map((line) => paint(style, 'yellow', line))];
}

/** What an ECU waits for, how it judges a release, and why its last job failed. */
export function troubleLines(row: EcuRow, style: Style): string[] {
  return [...waitingLines(row, style), ...probeLines(row, style), ...failureLines(row, style)];
}

/** The lines below an ECU's row: progress while it updates, the failure when it failed. */
export function detailLines(row: EcuRow, style: Style): string[] {
  const room = { ...style, columns: Math.max(16, style.columns - indent.length) };
  const progress = row.status?.progress;
  const lines = [
    ...waitingLines(row, room),
    ...(progress === undefined ? [] : progressLines(row, progress, room)),
    ...probeLines(row, room),
    ...failureLines(row, room),
  ];
  return lines.map((line) => indent + line);
}
