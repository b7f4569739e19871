import * as z from 'zod';
import { collectOptions } from './collect-options.ts';
import { absolutePath, flag, int, ms, section } from './option-kinds.ts';
import { kuksaOptions, replayOptions } from './source-options.ts';
import { uploadOptions } from './upload-options.ts';

const wrongName = { error: 'write a name of 1 to 128 letters, digits, dots, dashes, colons and underscores' };
const wrongFiles = { error: 'write a list of absolute paths' };

function laneQuota(what: string) {
  return int(0, 0, 1_099_511_627_776, `part of that room for ${what}; 0 for no limit of its own`);
}

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
        .describe(
          'files of collection campaigns, and directories of them, beside the built-in one that records every update; read again when they change',
        ),
      host_interval_ms: ms(10_000, 'interval of measuring processor, memory, disk and temperature', 100),
      kuksa: kuksaOptions,
      replay: replayOptions,
      spool_bytes: int(
        67_108_864,
        65_536,
        1_099_511_627_776,
        'room for what is not uploaded yet; the least important goes first',
      ),
      spool_critical_bytes: laneQuota('results of updates, failures and what campaigns call critical'),
      spool_normal_bytes: laneQuota('what campaigns call normal'),
      spool_bulk_bytes: laneQuota('what campaigns call bulk'),
      spool_days: int(30, 0, 3650, 'days after which a segment goes, if its age is known; 0 for never'),
      segment_bytes: int(524_288, 4096, 67_108_864, 'size at which a file of the spool is closed for upload'),
      segment_age_ms: ms(60_000, 'age at which a file of the spool is closed for upload', 100),
      vss_version: z
        .string()
        .max(64)
        .optional()
        .describe('version of the signal catalog in uploads; by default, what `Vehicle.VersionVSS` says'),
      clock_synced_file: absolutePath
        .optional()
        .describe('file whose existence says that the wall clock is right; without it, systemd is asked'),
      upload: uploadOptions,
      collect: collectOptions,
    },
    section,
  )
  .prefault({});
