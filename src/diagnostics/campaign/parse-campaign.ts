import type { ConfigProblem } from '#config/config-error.ts';
import { schemaProblems, valueAt } from '#config/schema-problems.ts';
import { type KeyPath, parseYaml, type YamlSource } from '#config/yaml-source.ts';
import type { Campaign, CampaignSignal, Trigger } from './campaign.ts';
import { type CampaignText, campaignSchema } from './campaign-schema.ts';

export type CampaignResult =
  | {
      readonly ok: true;
      readonly campaign: Campaign;
      /** A problem with what stands at `path`, with its line. */
      readonly problem: YamlSource['problem'];
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Reads a campaign in YAML or JSON; `file` is only named in problems. Finds everything that is wrong, in the order of the
 * lines. Never throws for what is in the text.
 */
export function parseCampaign(text: string, file: string): CampaignResult {
  const yaml = parseYaml(text, file);
  if (!yaml.ok) return yaml;
  const { source } = yaml;
  const parsed = campaignSchema.safeParse(source.value);
  const problems = [...(parsed.success ? [] : refused(parsed.error, source)), ...contradictions(source)];
  if (!parsed.success || problems.length > 0) {
    return { ok: false, problems: problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)) };
  }
  return { ok: true, campaign: campaignOf(parsed.data), problem: source.problem.bind(source) };
}

/** Of all signals together: what a campaign may keep in memory. */
const maxBuffered = 1_000_000;

type SchemaError = NonNullable<ReturnType<typeof campaignSchema.safeParse>['error']>;

function refused(error: SchemaError, source: YamlSource): ConfigProblem[] {
  const unknown = error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [];
    const at = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    return issue.keys.map((key) =>
      source.problem('unknown_key', [...at, key], 'is not known here', 'correct its name, or remove it'),
    );
  });
  const issues = error.issues.filter(({ code }) => code !== 'unrecognized_keys');
  const found = schemaProblems({ issues }, source.value);
  return [...unknown, ...found.map((p) => source.problem(p.code, p.path, p.what, p.mend))];
}

/** What no single value shows. Looks at the text itself, so that it is found beside everything else. */
function contradictions(source: YamlSource): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const [start, expires] = [source.value['start'], source.value['expires']].map((one) =>
    Date.parse(String(one)),
  );
  if (start !== undefined && expires !== undefined && expires <= start) {
    problems.push(source.problem('conflict', ['expires'], 'is not after start', 'write a later date'));
  }
  problems.push(
    ...repeated(source, 'signals', 'path', 'signal'),
    ...repeated(source, 'triggers', 'name', 'name'),
  );
  const buffered = listOf(source, 'signals').map((one) => Number(valueAt(one, ['buffer']) ?? 0));
  if (buffered.reduce((sum, count) => sum + (count > 0 ? count : 0), 0) > maxBuffered) {
    const what = `buffer more than ${maxBuffered} values together`;
    problems.push(source.problem('conflict', ['signals'], what, 'write smaller numbers for buffer'));
  }
  for (const [at] of listOf(source, 'triggers').entries()) {
    const shown = valueAt(source.value, ['triggers', at, 'snapshot']);
    if (shown === true && listOf(source, 'signals').length === 0 && !hasCondition(source, at)) {
      const what = 'is true, but the campaign has no signals';
      const mend = 'list the signals, or write a list of paths here';
      problems.push(source.problem('conflict', ['triggers', at, 'snapshot'], what, mend));
    }
  }
  return problems;
}

function hasCondition(source: YamlSource, at: number): boolean {
  return valueAt(source.value, ['triggers', at, 'on']) === 'condition';
}

function listOf(source: YamlSource, key: string): readonly unknown[] {
  const list = source.value[key];
  return Array.isArray(list) ? list : [];
}

function repeated(source: YamlSource, list: string, key: string, what: string): ConfigProblem[] {
  const seen = new Map<unknown, number>();
  return listOf(source, list).flatMap((_, at): ConfigProblem[] => {
    const place: KeyPath = [list, at, key];
    const value = valueAt(source.value, place);
    if (typeof value !== 'string') return [];
    const first = seen.get(value);
    if (first === undefined) {
      seen.set(value, at);
      return [];
    }
    const told = `is the same ${what} as ${list}[${first}]`;
    return [source.problem('duplicate', place, told, `list each ${what} once`)];
  });
}

function campaignOf(text: CampaignText): Campaign {
  return {
    id: text.id,
    startsAt: text.start === undefined ? undefined : Date.parse(text.start),
    expiresAt: text.expires === undefined ? undefined : Date.parse(text.expires),
    priority: text.priority,
    flushMs: text.flush_ms,
    maxAgeMs: text.max_age_ms,
    budget: {
      samplesPerSecond: text.budget.samples_per_second,
      bytesPerHour: text.budget.bytes_per_hour,
    },
    signals: text.signals.map(signalOf),
    triggers: text.triggers.map((one): Trigger => {
      const { snapshot } = one;
      return {
        name: one.name,
        cause: causeOf(one),
        once: one.once,
        minIntervalMs: one.min_interval_ms,
        beforeMs: one.before_ms,
        afterMs: one.after_ms,
        snapshot: snapshot === true ? [] : snapshot === false ? undefined : snapshot,
        priority: one.priority ?? text.priority,
      };
    }),
  };
}

function signalOf(one: CampaignText['signals'][number]): CampaignSignal {
  const { path } = one;
  switch (one.mode) {
    case 'every':
      return { path, sampling: { mode: 'every' } };
    case 'on_change':
      return {
        path,
        sampling: {
          mode: 'on_change',
          deadBand: one.dead_band,
          deadBandPercent: one.dead_band_percent,
          heartbeatMs: one.heartbeat_ms,
        },
      };
    case 'periodic':
      return { path, sampling: { mode: 'periodic', periodMs: one.period_ms } };
    case 'window':
      return { path, sampling: { mode: 'window', windowMs: one.window_ms } };
    case 'buffer':
      return { path, sampling: { mode: 'buffer', buffer: one.buffer } };
  }
}

function causeOf(one: CampaignText['triggers'][number]): Trigger['cause'] {
  switch (one.on) {
    case 'condition':
      return {
        on: 'condition',
        when: one.when.expression,
        text: one.when.text,
        edge: one.edge,
        forMs: one.for_ms,
      };
    case 'update':
      return { on: 'update', states: one.states };
    case 'trouble_codes':
      return { on: 'trouble_codes', path: one.path };
    case 'failure':
      return { on: 'failure' };
  }
}
