import * as z from 'zod';
import { absolutePath, flag, int, ms, section } from './option-kinds.ts';

const wrongUrl = { error: 'write a URL such as https://receiver.example/in' };
const wrongName = { error: 'write a name of 1 to 128 letters, digits, dots, dashes, colons and underscores' };
const wrongFiles = { error: 'write a list of absolute paths' };

/** Options of the diagnostics pipeline. */
export const diagnosticsOptions = z
  .object(
    {
      enabled: flag(true, 'whether signals are collected'),
      vehicle_id: z
        .string(wrongName)
        .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, wrongName)
        .optional()
        .describe('name of the vehicle in uploads, a pseudonym rather than the VIN; the ECU id by default'),
      campaigns: z
        .array(absolutePath, wrongFiles)
        .max(64, wrongFiles)
        .default([])
        .describe('files of collection campaigns, beside the built-in one that records every update'),
      host_interval_ms: ms(10_000, 'interval of measuring processor, memory, disk and temperature', 100),
      spool_bytes: int(
        67_108_864,
        65_536,
        1_099_511_627_776,
        'room for what is not uploaded yet; the least important goes first',
      ),
      segment_bytes: int(524_288, 4096, 67_108_864, 'size at which a file of the spool is closed for upload'),
      segment_age_ms: ms(60_000, 'age at which a file of the spool is closed for upload', 100),
      upload: z
        .object(
          {
            url: z
              .string(wrongUrl)
              .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), wrongUrl)
              .optional()
              .describe('receiver of diagnostics; without it, they stay in the spool'),
            content_type: z
              .string()
              .min(1)
              .max(128)
              .default('application/avro')
              .describe('media type of uploads'),
            token_file: absolutePath
              .optional()
              .describe('file with a bearer token, read anew for every upload'),
            ca_file: absolutePath.optional().describe("PEM file of authorities to trust instead of Node's"),
            certificate_file: absolutePath.optional().describe('PEM file of the client certificate'),
            key_file: absolutePath.optional().describe('PEM file of its key'),
            bytes_per_second: int(
              0,
              0,
              1_000_000_000,
              'most bytes per second that uploads take; 0 for no limit',
            ),
            daily_bytes: int(
              0,
              0,
              1_099_511_627_776,
              'most bytes that uploads take in 24 hours; 0 for no limit',
            ),
            during_updates: flag(false, 'whether uploads go on while this ECU is being updated'),
          },
          section,
        )
        .prefault({}),
    },
    section,
  )
  .prefault({});
