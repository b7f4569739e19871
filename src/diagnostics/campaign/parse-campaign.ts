import * as z from 'zod';
import type { ConfigProblem } from '#config/config-error.ts';
import { schemaProblems } from '#config/schema-problems.ts';
import { type KeyPath, parseYaml, type YamlSource } from '#config/yaml-source.ts';
import { priorities } from '#diagnostics/spool/priority.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { type Expression, ExpressionError } from '#domain/expression/syntax.ts';
import type { Campaign, CampaignSignal, Trigger } from './campaign.ts';

const maxMs = 7 * 24 * 3600 * 1000;
const time = { error: `write a whole number of milliseconds from 1 to ${maxMs}` };
const ms = z.int(time).min(1, time).max(maxMs, time);
const count = { error: 'write a whole number from 1 to 1000000' };
const many = z.int(count).min(1, count).max(1_000_000, count);
const wrongPath = { error: 'write an absolute VSS path such as Vehicle.Speed' };
const path = z.string(wrongPath).regex(/^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+$/, wrongPath);
const wrongName = { error: 'write a name of 1 to 64 letters, digits, dots, dashes and underscores' };
const name = z.string(wrongName).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, wrongName);
const wrongDate = { error: 'write a date such as 2026-01-31T12:00:00Z' };
const date = z.iso.datetime({ offset: true, ...wrongDate });
const wrongPriority = { error: `write one of ${priorities.join(', ')}` };
const priority = z.enum(priorities, wrongPriority);

const wrongMode = { error: 'write every, on_change, periodic, window or buffer' };
const signal = z.discriminatedUnion(
  'mode',
  [
    z.strictObject({ path, mode: z.literal('every') }),
    z.strictObject({
      path,
      mode: z.literal('on_change'),
      dead_band: z.number({ error: 'write a number that is not negative' }).min(0).default(0),
      heartbeat_ms: ms.optional(),
    }),
    z.strictObject({ path, mode: z.literal('periodic'), period_ms: ms }),
    z.strictObject({ path, mode: z.literal('window'), window_ms: ms }),
    z.strictObject({ path, mode: z.literal('buffer'), buffer: many.default(100) }),
  ],
  wrongMode,
);

const trigger = z.strictObject({
  name,
  on: z.enum(['condition', 'update', 'failure'], { error: 'write condition, update or failure' }),
  when: z.string({ error: 'write a condition such as Vehicle.Speed > 0' }).optional(),
  edge: z.enum(['rising', 'always'], { error: 'write rising or always' }).default('rising'),
  states: z.array(z.string({ error: 'write states such as UPDATING' })).optional(),
  min_interval_ms: z.int().min(0).max(maxMs).default(0),
  before_ms: z.int().min(0).max(maxMs).default(0),
  after_ms: z.int().min(0).max(maxMs).default(0),
  snapshot: z.union([z.boolean(), z.array(path)], { error: 'write true, or a list of paths' }).default(false),
  priority: priority.optional(),
});

const schema = z.strictObject({
  format: z.literal(1, { error: 'write 1' }).default(1),
  id: name,
  start: date.optional(),
  expires: date.optional(),
  priority: priority.default('normal'),
  flush_ms: ms.default(5000),
  max_age_ms: ms.default(10_000),
  budget: z
    .strictObject({
      samples_per_second: many.optional(),
      bytes_per_hour: z.int(count).min(1, count).optional(),
    })
    .prefault({}),
  signals: z
    .array(signal, { error: 'write a list of signals' })
    .max(4096, { error: 'list at most 4096 signals' }),
  triggers: z
    .array(trigger, { error: 'write a list of triggers' })
    .max(256, { error: 'list at most 256 triggers' })
    .default([]),
});

export type CampaignResult =
  | { readonly ok: true; readonly campaign: Campaign }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Reads a campaign in YAML or JSON; `file` is only named in problems. Never throws for what is in the text. */
export function parseCampaign(text: string, file: string): CampaignResult {
  const yaml = parseYaml(text, file);
  if (!yaml.ok) return yaml;
  const { source } = yaml;
  const parsed = schema.safeParse(source.value);
  if (!parsed.success) {
    const found = schemaProblems(parsed.error, source.value);
    return { ok: false, problems: found.map((p) => source.problem(p.code, p.path, p.what, p.mend)) };
  }
  const problems: ConfigProblem[] = [];
  const { id, start, expires, flush_ms, max_age_ms, budget, signals, triggers } = parsed.data;
  const [startsAt, expiresAt] = [start, expires].map((text) =>
    text === undefined ? undefined : Date.parse(text),
  );
  if (startsAt !== undefined && expiresAt !== undefined && expiresAt <= startsAt) {
    problems.push(source.problem('conflict', ['expires'], 'is not after start', 'write a later date'));
  }
  const seen = new Map<string, number>();
  for (const [at, one] of signals.entries()) {
    const first = seen.get(one.path);
    if (first === undefined) seen.set(one.path, at);
    else {
      const what = `is the same signal as signals[${first}]`;
      problems.push(source.problem('duplicate', ['signals', at, 'path'], what, 'list each signal once'));
    }
  }
  const made = triggers.flatMap((one, at): Trigger[] => {
    const cause = causeOf(one, ['triggers', at], source, problems);
    if (cause === undefined) return [];
    return [
      {
        name: one.name,
        cause,
        minIntervalMs: one.min_interval_ms,
        beforeMs: one.before_ms,
        afterMs: one.after_ms,
        snapshot: one.snapshot === true ? [] : one.snapshot === false ? undefined : one.snapshot,
        priority: one.priority ?? parsed.data.priority,
      },
    ];
  });
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    campaign: {
      id,
      startsAt,
      expiresAt,
      priority: parsed.data.priority,
      flushMs: flush_ms,
      maxAgeMs: max_age_ms,
      budget: { samplesPerSecond: budget.samples_per_second, bytesPerHour: budget.bytes_per_hour },
      signals: signals.map(signalOf),
      triggers: made,
    },
  };
}

function signalOf(one: z.output<typeof signal>): CampaignSignal {
  const { path: signalPath } = one;
  switch (one.mode) {
    case 'every':
      return { path: signalPath, sampling: { mode: 'every' } };
    case 'on_change':
      return {
        path: signalPath,
        sampling: { mode: 'on_change', deadBand: one.dead_band, heartbeatMs: one.heartbeat_ms },
      };
    case 'periodic':
      return { path: signalPath, sampling: { mode: 'periodic', periodMs: one.period_ms } };
    case 'window':
      return { path: signalPath, sampling: { mode: 'window', windowMs: one.window_ms } };
    case 'buffer':
      return { path: signalPath, sampling: { mode: 'buffer', buffer: one.buffer } };
  }
}

function causeOf(
  one: z.output<typeof trigger>,
  at: KeyPath,
  source: YamlSource,
  problems: ConfigProblem[],
): Trigger['cause'] | undefined {
  if (one.on === 'failure') return { on: 'failure' };
  if (one.on === 'update') {
    if (one.states !== undefined && one.states.length > 0) return { on: 'update', states: one.states };
    problems.push(
      source.problem('value_missing', [...at, 'states'], 'is missing', 'list states such as UPDATING'),
    );
    return undefined;
  }
  if (one.when === undefined) {
    problems.push(source.problem('value_missing', [...at, 'when'], 'is missing', 'write a condition'));
    return undefined;
  }
  let when: Expression;
  try {
    when = parseExpression(one.when);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    problems.push(
      source.problem(
        'value_invalid',
        [...at, 'when'],
        `is no condition: ${error.message}`,
        'correct it there',
      ),
    );
    return undefined;
  }
  return { on: 'condition', when, text: one.when, edge: one.edge };
}
