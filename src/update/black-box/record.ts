import { z } from 'zod';
import { maxArchiveFileBytes } from '#boot/slot-archive.ts';
import { slotIds } from '#boot/slots.ts';
import type { TrialCause } from '#domain/trial-end.ts';
import { timeSchema } from '#update/timeline.ts';
import { redacted } from './redact.ts';

/** Why an ECU came back from a release by itself, in words that continue "because". */
export const returnCauses = {
  probe_failed: 'a health probe failed',
  not_decided: 'its first boot was not decided in time',
  kernel_crash: 'its kernel crashed',
  watchdog_reset: 'it hung until the hardware watchdog reset the machine',
  not_confirmed: 'it could not be made permanent',
  daemon_failed: 'its OTA daemon crashed or hung',
  emergency_mode: 'it came up in emergency mode only',
  guard_limit: 'its OTA daemon did not decide in time, and perhaps never ran',
  rebooted: 'it was rebooted, by itself or by somebody, before it was confirmed',
  switched_off: 'the machine was switched off before it was confirmed',
  reboot_loop: 'it restarted again and again before it was confirmed',
  cut_off: 'it came up, and ended without a word before it was confirmed: a reset, a power cut or a crash',
  not_booted: 'it did not come up, or was cut off before it could tell',
} as const satisfies Record<
  TrialCause | 'rebooted' | 'switched_off' | 'reboot_loop' | 'cut_off' | 'not_booted',
  string
>;
export type ReturnCause = keyof typeof returnCauses;

const causes = Object.keys(returnCauses) as ReturnCause[];

const release = z.object({ slot: z.enum(slotIds), version: z.string(), image_digest: z.string() });
const evidence = z.object({ source: z.string(), text: z.string() });
const point = z.object({ by: z.enum(['old', 'new']), step: z.string(), at: timeSchema });

/**
 * One black box: what is known of one automatic return, or of a rollback that failed. The names are those of the file
 * and of `ota blackbox show --json`; keys are only ever added. Times are Unix times in milliseconds.
 */
const schema = z.object({
  format: z.literal(1),
  id: z.string().regex(/^[0-9A-Za-z-]{1,64}$/),
  at: timeSchema,
  /** Whether the old release has added what it knows. */
  complete: z.boolean(),
  switch: z.enum(['update', 'rollback']),
  cause: z.enum(causes),
  detail: z.string(),
  probe: z
    .object({ name: z.string(), kind: z.string(), target: z.string(), how: z.string(), output: z.string() })
    .nullable(),
  /** The release that was left. */
  left: release,
  /** The release that runs again. */
  back_in: release,
  /** Boots of the release that was left, as far as it could count them. */
  boots: z.number().nullable(),
  session_id: z.string().nullable(),
  timeline: z.array(point),
  /** Ends of logs, the kernel's last words, what a guard wrote down. */
  evidence: z.array(evidence),
  /** What was looked for and could not be had. */
  missing: z.array(z.string()),
});

export type BlackBox = z.infer<typeof schema>;
export type Evidence = z.infer<typeof evidence>;
export type BlackBoxPoint = z.infer<typeof point>;

/** Undefined when it is none of ours. */
export function parseBlackBox(content: unknown): BlackBox | undefined {
  const read = schema.safeParse(content);
  return read.success ? read.data : undefined;
}

// Together they leave room in the file even where each character takes three bytes.
const maxTimeline = 64;
const maxEvidence = 16;
const maxMissing = 8;
const maxName = 256;
const maxLine = 1024;
const maxDetail = 2048;
const maxOutput = 6144;
/** Characters of evidence in all to begin with; less when they need more bytes than they count. */
const maxEvidenceChars = 48 * 1024;

/** Without secrets and control characters, and small enough to be kept. Of logs the end counts. */
export function boundedBlackBox(box: BlackBox): BlackBox {
  const line = (text: string, max = maxLine): string => head(clean(text), max);
  const { probe } = box;
  const rest: BlackBox = {
    ...box,
    detail: line(box.detail, maxDetail),
    probe:
      probe === null
        ? null
        : {
            name: line(probe.name, maxName),
            kind: line(probe.kind, maxName),
            target: line(probe.target),
            how: line(probe.how),
            output: tail(clean(probe.output), maxOutput),
          },
    timeline: box.timeline.slice(-maxTimeline),
    missing: box.missing.slice(0, maxMissing).map((text) => line(text, maxName)),
    evidence: [],
  };
  const all = box.evidence
    .slice(0, maxEvidence)
    .map(({ source, text }) => ({ source: line(source, maxName), text: clean(text) }));
  for (let room = maxEvidenceChars; ; room = Math.floor(room / 2)) {
    const share = Math.floor(room / Math.max(1, all.length));
    const evidenceNow = all.map(({ source, text }) => ({ source, text: tail(text, share) }));
    const bounded = { ...rest, evidence: evidenceNow };
    // The newline at the end of the file counts too.
    if (room === 0 || Buffer.byteLength(JSON.stringify(bounded)) < maxArchiveFileBytes) return bounded;
  }
}

/** Lines and tabs stay. Escape sequences of a log would reach the reader's terminal. */
function clean(text: string): string {
  return redacted(text)
    .toWellFormed()
    .replace(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : ''));
}

function head(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

function tail(text: string, max: number): string {
  if (text.length <= max) return text;
  return max < 2 ? '' : `…${text.slice(1 - max).toWellFormed()}`;
}
