import * as z from 'zod';
import { parseExpression } from '#domain/expression/parse.ts';
import { ExpressionError } from '#domain/expression/syntax.ts';
import { absolutePath, flag, int, section } from './option-kinds.ts';

const wrongUrl = { error: 'write a URL such as https://receiver.example/in, without user and password' };
const wrongCondition = 'write a condition over signals such as Vehicle.Connectivity.IsConnectivityAvailable';

const condition = z.string(wrongCondition).superRefine((text, context) => {
  try {
    parseExpression(text);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.addIssue({ code: 'custom', message: `${error.message}; ${wrongCondition}` });
  }
});

/** Options of the upload of diagnostics. */
export const uploadOptions = z
  .object(
    {
      url: z
        .string(wrongUrl)
        .refine((text) => {
          const url = URL.parse(text);
          return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
        }, wrongUrl)
        .optional()
        .describe(
          'receiver of diagnostics, or the parent that collects them; without it, they stay in the spool',
        ),
      method: z
        .enum(['PUT', 'POST'], { error: 'write PUT or POST' })
        .default('PUT')
        .describe('PUT to an address of its own for each segment, or POST to one for all of a vehicle'),
      content_type: z.string().min(1).max(128).default('application/avro').describe('media type of uploads'),
      when: condition
        .optional()
        .describe('condition over signals for uploads; unknown counts as not fulfilled'),
      token_file: absolutePath.optional().describe('file with a bearer token, read anew for every upload'),
      ca_file: absolutePath.optional().describe("PEM file of authorities to trust instead of Node's"),
      certificate_file: absolutePath
        .optional()
        .describe('PEM file of the client certificate; all of these files may be replaced at any time'),
      key_file: absolutePath.optional().describe('PEM file of its key'),
      bytes_per_second: int(0, 0, 1_000_000_000, 'most bytes per second that uploads take; 0 for no limit'),
      daily_bytes: int(0, 0, 1_099_511_627_776, 'most bytes that uploads take in 24 hours; 0 for no limit'),
      during_updates: flag(false, 'whether uploads go on while an ECU of the vehicle downloads an update'),
    },
    section,
  )
  .prefault({});
