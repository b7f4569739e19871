import * as z from 'zod';
import { priorities } from '#diagnostics/spool/priority.ts';
import { parseExpression } from '#domain/expression/parse.ts';
import { ExpressionError } from '#domain/expression/syntax.ts';
import { otaStatuses } from '#domain/status.ts';

const maxMs = 7 * 24 * 3600 * 1000;
const time = { error: `write a whole number of milliseconds from 1 to ${maxMs}` };
const ms = z.int(time).min(1, time).max(maxMs, time);
const pause = { error: `write a whole number of milliseconds from 0 to ${maxMs}` };
const msOrNone = z.int(pause).min(0, pause).max(maxMs, pause);
const count = { error: 'write a whole number from 1 to 1000000' };
const many = z.int(count).min(1, count).max(1_000_000, count);
const bytes = { error: 'write a whole number of bytes from 1 to 1000000000000' };
const wrongPath = { error: 'write an absolute VSS path such as Vehicle.Speed' };
const path = z
  .string(wrongPath)
  .max(1000, wrongPath)
  .regex(/^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+$/, wrongPath);
const wrongName = { error: 'write a name of 1 to 64 letters, digits, dots, dashes and underscores' };
const name = z.string(wrongName).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, wrongName);
const wrongDate = { error: 'write a date such as 2026-01-31T12:00:00Z' };
const date = z.iso.datetime({ offset: true, ...wrongDate });
const wrongPriority = { error: `write one of ${priorities.join(', ')}` };
const priority = z.enum(priorities, wrongPriority);
const wrongBand = { error: 'write a number that is not negative' };
const band = z.number(wrongBand).min(0, wrongBand).max(1e12, wrongBand);
const flag = z.boolean({ error: 'write true or false' });

const wrongMode = { error: 'write every, on_change, periodic, window or buffer' };
const signal = z.discriminatedUnion(
  'mode',
  [
    z.strictObject({ path, mode: z.literal('every') }),
    z.strictObject({
      path,
      mode: z.literal('on_change'),
      dead_band: band.default(0),
      dead_band_percent: band.default(0),
      heartbeat_ms: ms.optional(),
    }),
    z.strictObject({ path, mode: z.literal('periodic'), period_ms: ms }),
    z.strictObject({ path, mode: z.literal('window'), window_ms: ms }),
    z.strictObject({ path, mode: z.literal('buffer'), buffer: many.default(100) }),
  ],
  wrongMode,
);

const wrongCondition = { error: 'write a condition such as Vehicle.Speed > 0' };
const condition = z.string(wrongCondition).transform((text, context) => {
  try {
    return { text, expression: parseExpression(text) };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.addIssue({ code: 'custom', message: `correct the condition ${error.message}` });
    return z.NEVER;
  }
});

/** What every trigger has, whatever it waits for. */
const aftermath = {
  name,
  once: flag.default(false),
  min_interval_ms: msOrNone.default(0),
  before_ms: msOrNone.default(0),
  after_ms: msOrNone.default(0),
  snapshot: z.union([z.boolean(), z.array(path)], { error: 'write true, or a list of paths' }).default(false),
  priority: priority.optional(),
};
const wrongStates = { error: `list states, each one of ${otaStatuses.join(', ')}` };
const trigger = z.discriminatedUnion(
  'on',
  [
    z.strictObject({
      ...aftermath,
      on: z.literal('condition'),
      when: condition,
      edge: z.enum(['rising', 'always'], { error: 'write rising or always' }).default('rising'),
      for_ms: msOrNone.default(0),
    }),
    z.strictObject({
      ...aftermath,
      on: z.literal('update'),
      states: z.array(z.enum(otaStatuses, wrongStates), wrongStates).min(1, wrongStates),
    }),
    z.strictObject({ ...aftermath, on: z.literal('failure') }),
    z.strictObject({
      ...aftermath,
      on: z.literal('trouble_codes'),
      path: path.default('Vehicle.Diagnostics.DTCList'),
    }),
  ],
  { error: 'write condition, update, failure or trouble_codes' },
);

/** A campaign as it stands in a file. Messages say what to write instead. */
export const campaignSchema = z.strictObject({
  format: z.literal(1, { error: 'write 1' }).default(1),
  id: name,
  start: date.optional(),
  expires: date.optional(),
  priority: priority.default('normal'),
  flush_ms: ms.default(5000),
  max_age_ms: ms.default(10_000),
  budget: z
    .strictObject(
      {
        samples_per_second: many.optional(),
        bytes_per_hour: z.int(bytes).min(1, bytes).max(1e12, bytes).optional(),
      },
      { error: 'write samples_per_second and bytes_per_hour, one of them or both' },
    )
    .prefault({}),
  signals: z
    .array(signal, { error: 'write a list of signals' })
    .max(4096, { error: 'list at most 4096 signals' }),
  triggers: z
    .array(trigger, { error: 'write a list of triggers' })
    .max(256, { error: 'list at most 256 triggers' })
    .default([]),
});

export type CampaignText = z.output<typeof campaignSchema>;
