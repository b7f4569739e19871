import type { ConsoleSignal, ConsoleValue, DiagnosticsReport } from '#api/console-diagnostics.ts';
import type { Paint, Style } from './render-style.ts';
import { ellipsisOf, paint } from './render-style.ts';
import { type Cell, table } from './render-table.ts';
import { harmless } from './render-text.ts';
import { humanBytes, humanCount } from './render-units.ts';

const widestName = 48;

const statePaints: Readonly<Record<string, Paint>> = {
  connected: 'green',
  active: 'green',
  waiting: 'yellow',
  expired: 'dim',
  ended: 'dim',
  broken: 'red',
  failed: 'red',
};

/** How diagnostics fare, as lines for people. */
export function renderDiagnostics(report: DiagnosticsReport, style: Style): string[] {
  if (!report.enabled) return ['Diagnostics are switched off (diagnostics.enabled).'];
  const state = (text: string): Cell => {
    const how = statePaints[text];
    return { text: harmless(text), ...(how === undefined ? {} : { painted: (t) => paint(style, how, t) }) };
  };
  const count = (value: number | bigint): Cell => ({ text: humanCount(Number(value)) });
  const name = (text: string): Cell => ({ text: harmless(text) });
  const options = { ellipsis: ellipsisOf(style), paintTitle: (text: string) => paint(style, 'bold', text) };
  const right = { align: 'right' } as const;
  const sources = table(
    [
      { title: 'SOURCE', maxWidth: widestName },
      { title: 'STATE' },
      { title: 'SIGNALS', ...right },
      { title: 'VALUES', ...right },
    ],
    report.sources.map((one) => [name(one.name), state(one.state), count(one.signals), count(one.samples)]),
    options,
  );
  const campaigns = table(
    [
      { title: 'CAMPAIGN', maxWidth: widestName },
      { title: 'STATE' },
      { title: 'KEPT', ...right },
      { title: 'DROPPED', ...right },
      { title: 'TRIGGERED', ...right },
    ],
    report.campaigns.map((one) => [
      name(one.id),
      state(one.state),
      count(one.samples),
      count(one.dropped),
      count(one.triggered),
    ]),
    options,
  );
  const spool = table(
    [{ title: 'SPOOL' }, { title: 'SEGMENTS', ...right }, { title: 'SIZE', ...right }],
    report.lanes.map((one) => [
      name(one.priority),
      count(one.segments),
      { text: humanBytes(Number(one.bytes)) },
    ]),
    options,
  );
  return [
    ...withProblems(sources, report.sources, style),
    '',
    ...withProblems(campaigns, report.campaigns, style),
    '',
    ...spool,
    '',
    ...uploadLines(report, style),
  ];
}

/** What is wrong with one stands below it. */
function withProblems(
  lines: readonly string[],
  items: readonly { readonly problem: string }[],
  style: Style,
): string[] {
  return lines.flatMap((line, at) => {
    const problem = at === 0 ? '' : (items[at - 1]?.problem ?? '');
    return problem === '' ? [line] : [line, paint(style, 'yellow', `  ${harmless(problem)}`)];
  });
}

function uploadLines(report: DiagnosticsReport, style: Style): string[] {
  const { uploadedSegments, uploadedBytes, uploadFailures, uploadWaitingFor } = report;
  const { droppedSamples, evictedSegments, quarantinedSegments } = report;
  const lost = droppedSamples + evictedSegments + quarantinedSegments > 0n;
  const losses =
    `${humanCount(Number(droppedSamples))} values not stored, ` +
    `${humanCount(Number(evictedSegments))} segments removed to make room, ` +
    `${humanCount(Number(quarantinedSegments))} put aside`;
  return [
    `Uploaded: ${humanCount(Number(uploadedSegments))} segments, ${humanBytes(Number(uploadedBytes))}; ` +
      `failures: ${humanCount(Number(uploadFailures))}`,
    ...collectedLines(report),
    ...(uploadWaitingFor === '' ? [] : [paint(style, 'yellow', `Waiting:  ${harmless(uploadWaitingFor)}`)]),
    `Lost:     ${paint(style, lost ? 'red' : 'dim', lost ? losses : 'nothing')}`,
  ];
}

/** Only where children hand theirs over. */
function collectedLines({ collectedSegments, collectedBytes }: DiagnosticsReport): string[] {
  if (collectedSegments === 0) return [];
  return [
    `Of children: ${humanCount(collectedSegments)} segments, ${humanBytes(Number(collectedBytes))} to be uploaded`,
  ];
}

/** One value in one line: time, path, value and unit. */
export function signalLine({ path, unit, value, time }: ConsoleSignal, style: Style): string {
  const at = time === undefined ? '-' : Number.isFinite(style.columns) ? `${time.slice(11, 23)}Z` : time;
  const shown = value === undefined ? '-' : harmless(valueText(value));
  return [paint(style, 'dim', at), harmless(path), paint(style, 'cyan', shown), harmless(unit)]
    .join('  ')
    .trimEnd();
}

function valueText(value: ConsoleValue): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** One value for programs. Whole numbers that JSON readers would round are texts. */
export function signalJson({ path, datatype, unit, value, time }: ConsoleSignal): object {
  return {
    signal: path,
    time: time ?? null,
    datatype,
    unit: unit === '' ? null : unit,
    value: value === undefined ? null : jsonValue(value),
  };
}

function jsonValue(value: ConsoleValue): unknown {
  if (typeof value === 'bigint') return exactJson(value);
  // JSON has neither NaN nor infinities.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return typeof value === 'object' ? value.map((item) => jsonValue(item)) : value;
}

/** The report for programs. */
export function diagnosticsJson(report: DiagnosticsReport): object {
  const { sources, campaigns, lanes } = report;
  return {
    type: 'diagnostics',
    enabled: report.enabled,
    sources: sources.map(({ name, state, problem, signals, samples }) => {
      return { name, state, problem, signals, samples: exactJson(samples) };
    }),
    campaigns: campaigns.map((one) => ({
      id: one.id,
      state: one.state,
      problem: one.problem,
      samples: exactJson(one.samples),
      dropped: exactJson(one.dropped),
      triggered: exactJson(one.triggered),
    })),
    lanes: lanes.map(({ priority, segments, bytes }) => ({ priority, segments, bytes: exactJson(bytes) })),
    dropped_samples: exactJson(report.droppedSamples),
    evicted_segments: exactJson(report.evictedSegments),
    quarantined_segments: exactJson(report.quarantinedSegments),
    uploaded_segments: exactJson(report.uploadedSegments),
    uploaded_bytes: exactJson(report.uploadedBytes),
    upload_failures: exactJson(report.uploadFailures),
    upload_waiting_for: report.uploadWaitingFor,
    oldest_segment_age_ms: exactJson(report.oldestSegmentAgeMs),
    collected_segments: report.collectedSegments,
    collected_bytes: exactJson(report.collectedBytes),
  };
}

function exactJson(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
