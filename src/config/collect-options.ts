import * as z from 'zod';
import { absolutePath, flag, int, section } from './option-kinds.ts';

const wrongChildren = { error: 'write a list of ECU ids' };

/** Options of taking diagnostics from children. */
export const collectOptions = z
  .object(
    {
      enabled: flag(false, 'whether children hand their diagnostics to this ECU, which uploads them'),
      host: z.string().min(1).max(255).optional().describe("address for it; by default, the daemon's own"),
      port: int(
        50052,
        1,
        65535,
        'port for it: children have `http://<this ECU>:<port>` as `diagnostics.upload.url`',
      ),
      children: z
        .array(z.string(wrongChildren).min(1, wrongChildren).max(128, wrongChildren), wrongChildren)
        .max(256, wrongChildren)
        .default([])
        .describe(
          'ECU ids, and vehicle names if those differ, that are taken; by default, those in `ecu_info.yml`',
        ),
      tokens_file: absolutePath
        .optional()
        .describe(
          'file with a line `<token> <ECU id> ...` for each child; then nobody else may hand over anything',
        ),
      quota_bytes: int(
        33_554_432,
        65_536,
        1_099_511_627_776,
        'room for each child; when it is taken up, the child waits',
      ),
      max_segment_bytes: int(
        4_194_304,
        4096,
        134_217_728,
        'largest file that is taken; children divide larger ones',
      ),
      certificate_file: absolutePath
        .optional()
        .describe('PEM file of the certificate, to be reached by HTTPS only'),
      key_file: absolutePath.optional().describe('PEM file of its key'),
      ca_file: absolutePath
        .optional()
        .describe('PEM file of authorities that certificates of children must be of'),
    },
    section,
  )
  .prefault({});
