import type { Slots } from '#boot/slots.ts';
import { listCrashRecords } from '#host/last-reset.ts';
import { resolveInRoot } from '#host/root-path.ts';
import type { Findings } from './evidence.ts';
import { crashRecords, logOfLastBoot, notFound, nothing, searched } from './evidence.ts';

/** What the tree of the failed slot holds of its last boot: out of reach where it cannot be mounted. */
export interface FailedSlot {
  readonly log: Findings;
  /** Crash records that the release put away itself in a boot after the crash. */
  readonly crashRecords: readonly string[];
  readonly lastWords: Findings;
}

/** `since` and `known` as for the log and the crash records; `signal` ends the search. Never rejects. */
export async function failedSlot(
  slots: Slots,
  look: {
    readonly since: number | undefined;
    readonly known: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<FailedSlot> {
  const { since, known, signal } = look;
  try {
    return await slots.withStandbyRoot('read', async (root) => {
      const records = await crashRecordsIn(root, known);
      return {
        log: await searched(() => logOfLastBoot(root, since, signal)),
        crashRecords: records,
        lastWords: await searched(() => crashRecords(records, signal, root)),
      };
    });
  } catch (error) {
    return { log: notFound(error), crashRecords: [], lastWords: nothing };
  }
}

/** `known` are names as the release itself sees them. */
async function crashRecordsIn(root: string, known: readonly string[]): Promise<string[]> {
  const archive = await resolveInRoot(root, '/var/lib/systemd/pstore');
  const records = await listCrashRecords({ crashRecords: [archive], watchdogs: '' });
  return records.filter((record) => !known.includes(record.slice(root.length)));
}
