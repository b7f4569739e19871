import * as z from 'zod';
import { parseExpression } from '#domain/expression/parse.ts';
import { ExpressionError } from '#domain/expression/syntax.ts';
import { flag, ms, section } from './option-kinds.ts';

const wrongList = { error: 'write a list of at most 32 conditions, each with name and when' };
const wrongName = { error: 'write a name of 1 to 64 printable characters, different from the others' };
const wrongMissing = { error: 'write block or allow' };
const wrongWords = { error: 'write 1 to 200 printable characters' };
const wrongScope = { error: 'write ecu or vehicle' };
const wrongExpression = { error: 'write a condition such as "Vehicle.Speed < 0.1 and not Vehicle.IsMoving"' };

/** A condition over signals, as text that can be read. */
export const expressionText = z.string(wrongExpression).superRefine((text, context) => {
  try {
    parseExpression(text);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.addIssue({ code: 'custom', message: `correct the condition: ${error.message}` });
  }
});

export const maxAge = ms(10_000, 'age in milliseconds beyond which a value counts as missing');

const condition = z.strictObject(
  {
    name: z.string(wrongName).regex(/^[^\p{Cc}]{1,64}$/u, wrongName),
    when: expressionText,
    max_age_ms: maxAge,
    missing: z.enum(['block', 'allow'], wrongMissing).default('block'),
    describe: z
      .string(wrongWords)
      .regex(/^[^\p{Cc}]{1,200}$/u, wrongWords)
      .optional(),
  },
  {
    // A slip of the pen in `missing` or `max_age_ms` must not pass for their defaults.
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `take out ${issue.keys.join(', ')}: there are name, when, max_age_ms, missing and describe`
        : wrongList.error,
  },
);

function conditions(about: string) {
  return z
    .array(condition, wrongList)
    .max(32, wrongList)
    .superRefine((list, context) => {
      list.forEach(({ name }, at) => {
        if (list.findIndex((other) => other.name === name) === at) return;
        context.addIssue({ code: 'custom', path: [at, 'name'], message: wrongName.error });
      });
    })
    .default([])
    .describe(about);
}

/** Options of the conditions that guard an update. */
export const preconditionOptions = z
  .object(
    {
      start: conditions(
        'conditions of the vehicle for an update to start: list of `name`, `when` (an expression over signals), ' +
          '`max_age_ms` (10000), `missing` (`block`; `allow` where a value that is missing or too old is no obstacle), `describe`',
      ),
      activation: conditions('the same for switching the boot choice, looked at right before it'),
      reboot: conditions('the same for the reboot into the other slot, looked at right before it'),
      start_wait_ms: ms(
        0,
        'how long an accepted update waits for its start conditions, before it writes anything; 0: it is refused instead',
        0,
      ),
      activation_wait_ms: ms(
        3_600_000,
        'how long a finished release waits to be switched to; then the update fails, and the old release stays',
        0,
      ),
      reboot_wait_ms: ms(
        3_600_000,
        'how long the reboot is waited with; then the switch is taken back, and the update fails',
        0,
      ),
      rollback: flag(true, 'whether a rollback has to fulfil the conditions of start and reboot, too'),
      scope: z
        .enum(['ecu', 'vehicle'], wrongScope)
        .default('ecu')
        .describe(
          'whom the start conditions are for: this ECU, or all that a request through this ECU names, which is then ' +
            'refused before any of them gets it',
        ),
    },
    section,
  )
  .prefault({});
