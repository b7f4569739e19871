import type { PlannedEcu } from '#api/console-plan.ts';
import type { Style } from './render-style.ts';
import { ellipsisOf, paint } from './render-style.ts';
import { table } from './render-table.ts';
import { displayWidth, harmless, truncate, wrap } from './render-text.ts';
import { humanBytes, humanDuration } from './render-units.ts';

/** What an ECU would say, in one word. */
export type Verdict = 'fits' | 'refuses' | 'full' | 'unknown';

export function verdictOf({ work, refusals }: PlannedEcu): Verdict {
  if (refusals.length > 0) return 'refuses';
  if (work === undefined) return 'unknown';
  return work.neededBytes <= work.availableBytes ? 'fits' : 'full';
}

const verdicts = {
  fits: { text: 'fits', paint: 'green' },
  refuses: { text: 'would refuse', paint: 'red' },
  full: { text: 'does not fit', paint: 'red' },
  unknown: { text: 'not known', paint: 'yellow' },
} as const;

/** The lines below an ECU's row: why it would refuse, or why nothing is known. */
function reasons({ work, refusals, unknownReason }: PlannedEcu, style: Style): string[] {
  const columns = Math.max(16, style.columns - 4);
  const lines = [
    ...refusals.flatMap((text) => wrap(harmless(text), columns).map((line) => paint(style, 'red', line))),
    ...(work === undefined && unknownReason !== ''
      ? wrap(harmless(unknownReason), columns).map((line) => paint(style, 'dim', line))
      : []),
  ];
  return lines.map((line) => `    ${line}`);
}

/** What an update would do to each ECU, as lines of text. */
export function renderVehiclePlan(plans: readonly PlannedEcu[], style: Style): string[] {
  const columns = [
    { title: 'ECU', maxWidth: 32 },
    { title: 'UPDATE' },
    { title: 'DOWNLOAD', align: 'right' },
    { title: 'TIME', align: 'right' },
    { title: 'COPY', align: 'right' },
    { title: 'LINK', align: 'right' },
    { title: 'NEEDS', align: 'right' },
    { title: 'HAS', align: 'right' },
  ] as const;
  const rows = plans.map((plan) => {
    const { work } = plan;
    const verdict = verdicts[verdictOf(plan)];
    const bytes = (value: number | undefined): { text: string } => ({
      text: value === undefined ? '-' : humanBytes(value),
    });
    return [
      { text: harmless(plan.ecuId), painted: (text: string) => paint(style, 'bold', text) },
      { text: verdict.text, painted: (text: string) => paint(style, verdict.paint, text) },
      bytes(work?.download.bytes),
      { text: work?.durationMs === undefined ? '-' : humanDuration(work.durationMs) },
      bytes(work?.copy.bytes),
      bytes(work?.link.bytes),
      bytes(work?.neededBytes),
      bytes(work?.availableBytes),
    ];
  });
  const [title = '', ...lines] = table(columns, rows, { ellipsis: ellipsisOf(style) });
  const plain = table(
    columns,
    rows.map((row) => row.map(({ text }) => ({ text }))),
    { ellipsis: ellipsisOf(style) },
  );
  // Where the table is too wide its lines are cut: ECU and amounts matter most, and reasons stand below.
  const cut = (line: string, bare: string): string =>
    displayWidth(bare) <= style.columns ? line : truncate(bare, style.columns, ellipsisOf(style));
  return [
    paint(style, 'dim', cut(title, title)),
    ...plans.flatMap((plan, index) => [
      cut(lines[index] ?? '', plain[index + 1] ?? ''),
      ...reasons(plan, style),
    ]),
    '',
    total(plans, style),
  ];
}

function total(plans: readonly PlannedEcu[], style: Style): string {
  const known = plans.flatMap(({ work }) => work ?? []);
  const bytes = known.reduce((sum, { download }) => sum + download.bytes, 0);
  const times = known.flatMap(({ durationMs }) => durationMs ?? []);
  const longest = times.length === 0 ? '' : `, ${humanDuration(Math.max(...times))} until the last reboot`;
  const unknown = plans.length - known.length;
  const rest = unknown === 0 ? '' : `; of ${unknown} ${unknown === 1 ? 'ECU' : 'ECUs'} nothing is known`;
  return truncate(
    `together: download ${humanBytes(bytes)}${longest}${rest}`,
    style.columns,
    ellipsisOf(style),
  );
}

/** The stable JSON of a plan of the vehicle, documented in docs/cli.md. */
export function vehiclePlanJson(plans: readonly PlannedEcu[]): object {
  return {
    type: 'vehicle_plan',
    ecus: plans.map((plan) => ({
      ecu_id: plan.ecuId,
      known: plan.work !== undefined,
      fits: plan.work === undefined ? null : plan.work.neededBytes <= plan.work.availableBytes,
      refusals: plan.refusals,
      unknown_reason: plan.unknownReason === '' ? null : plan.unknownReason,
      total: plan.work?.total ?? null,
      copy: plan.work?.copy ?? null,
      link: plan.work?.link ?? null,
      download: plan.work?.download ?? null,
      duration_ms: plan.work?.durationMs === undefined ? null : Math.round(plan.work.durationMs),
      needed_bytes: plan.work?.neededBytes ?? null,
      available_bytes: plan.work?.availableBytes ?? null,
    })),
  };
}
