import { join } from 'node:path';
import { z } from 'zod';
import type { ReleaseDetail } from '#domain/release.ts';
import type { FailureReport, OtaStatus } from '#domain/status.ts';
import {
  makeDirectoryDurably,
  readAtMost,
  readSmallJson,
  removeDurably,
  sweepTemporaries,
  writeDurably,
} from '#host/durable-file.ts';
import { BootError } from './boot-error.ts';
import { whyAndMend } from './boot-place.ts';
import { firstBootFile, guardNoteFile } from './slot-archive.ts';
import type { SlotId } from './slots.ts';
import { slotIds } from './slots.ts';

/** Words that are kept on disk. CLIENT_UPDATING and ABORTING are live only. */
const persistedStatuses = [
  'INITIALIZED',
  'SUCCESS',
  'FAILURE',
  'UPDATING',
  'ROLLBACKING',
  'ROLLBACK_FAILURE',
  'ABORTED',
] as const satisfies readonly OtaStatus[];
export type PersistedStatus = (typeof persistedStatuses)[number];

/** What we know of the tree in a slot; absent as long as no update has ever touched it. */
export interface SlotRecord {
  /**
   * `written_to`: an update began to change it. `staged`: whole and activated, never confirmed. `confirmed`: it ran and
   * was found good.
   */
  readonly state: 'written_to' | 'staged' | 'confirmed';
  /** Digest of the image's signed description; empty for what the ECU was delivered with. */
  readonly imageDigest: string;
}

const detailSchema = z.object({ release_name: z.string(), release_id: z.string(), image_id: z.string() });
const failureSchema = z.object({
  format: z.literal(1),
  type: z.enum(['RECOVERABLE', 'UNRECOVERABLE']),
  reason: z.string(),
  traceback: z.string(),
});
const recordSchema = z.object({
  format: z.literal(1),
  state: z.enum(['written_to', 'staged', 'confirmed']),
  image_digest: z.string(),
});

/** What `slot_in_use` calls each slot, where existing clients do not call it by its role. */
export type SlotNames = Readonly<Record<SlotId, string>>;

/** A directory where `status`, `slot_in_use`, `version` and `version_detail` of a slot are kept once more. */
export interface StatusMirror {
  readonly directory: string;
  readonly names: SlotNames;
}

/** The files that existing clients know. */
const mirrored = ['status', 'slot_in_use', 'version', 'version_detail'];

/** What boots of a release that is on trial leave for the next one, the daemon's and those of the guard beside it. */
const trialFiles = ['rearmed', 'trial', guardNoteFile, firstBootFile];

/** Existing clients read at most so much of a version. */
const maxVersionBytes = 2048;
const maxJsonBytes = 64 * 1024;

/**
 * The status files of one slot. `status`, `slot_in_use`, `version` and `version_detail` have the names and the contents
 * that existing clients and tools use: plain text without a newline. `failure` and `slot` are our own additions.
 * Errors of every call: BootError `status_failed`, which names the file.
 */
export class StatusFiles {
  readonly directory: string;
  readonly #names: SlotNames | undefined;
  readonly #mirror: StatusMirror | undefined;

  constructor(directory: string, names?: SlotNames, mirror?: StatusMirror) {
    this.directory = directory;
    this.#names = names;
    this.#mirror = mirror;
  }

  /** Makes the directory, and clears what an interrupted write left. */
  async open(): Promise<void> {
    await makeDirectoryDurably(this.directory);
    await sweepTemporaries(this.directory);
  }

  /** Undefined when missing, empty or unknown: readers take that for INITIALIZED. */
  async status(): Promise<PersistedStatus | undefined> {
    const word = (await this.#text('status', 64)).trim().toUpperCase();
    return persistedStatuses.find((status) => status === word);
  }

  async setStatus(status: PersistedStatus): Promise<void> {
    await this.#write('status', status);
  }

  /** The slot that is expected to run; empty when unknown. */
  async slotInUse(): Promise<string> {
    const name = (await this.#text('slot_in_use', 64)).trim();
    return slotIds.find((slot) => this.#names?.[slot] === name) ?? name;
  }

  async setSlotInUse(slot: SlotId): Promise<void> {
    await this.#write('slot_in_use', this.#names?.[slot] ?? slot, this.#mirror?.names[slot]);
  }

  async version(): Promise<string> {
    return this.#text('version', maxVersionBytes);
  }

  /** Only details with all three values are kept, as existing clients do. */
  async detail(): Promise<ReleaseDetail | undefined> {
    const read = detailSchema.safeParse(await this.#json('version_detail'));
    if (!read.success) return undefined;
    const { release_name: releaseName, release_id: releaseId, image_id: imageId } = read.data;
    if (releaseName === '' || releaseId === '' || imageId === '') return undefined;
    return { releaseName, releaseId, imageId };
  }

  async setRelease(version: string, detail: ReleaseDetail | undefined): Promise<void> {
    if (detail === undefined) {
      await this.#remove(['version_detail']);
    } else {
      const { releaseName: release_name, releaseId: release_id, imageId: image_id } = detail;
      await this.#write('version_detail', JSON.stringify({ release_name, release_id, image_id }));
    }
    await this.#write('version', version);
  }

  async failure(): Promise<FailureReport | undefined> {
    const read = failureSchema.safeParse(await this.#json('failure'));
    if (!read.success) return undefined;
    const { type, reason, traceback } = read.data;
    return { type, reason, traceback };
  }

  async setFailure(failure: FailureReport | undefined): Promise<void> {
    if (failure === undefined) await this.#remove(['failure']);
    else await this.#write('failure', JSON.stringify({ format: 1, ...failure }));
  }

  async record(): Promise<SlotRecord | undefined> {
    const read = recordSchema.safeParse(await this.#json('slot'));
    return read.success ? { state: read.data.state, imageDigest: read.data.image_digest } : undefined;
  }

  async setRecord(record: SlotRecord): Promise<void> {
    const { state, imageDigest: image_digest } = record;
    await this.#write('slot', JSON.stringify({ format: 1, state, image_digest }));
  }

  /** How often a release on trial was allowed to boot once more. */
  async rearmed(): Promise<number> {
    const times = Number((await this.#text('rearmed', 16)).trim());
    return Number.isSafeInteger(times) && times > 0 ? times : 0;
  }

  async setRearmed(times: number): Promise<void> {
    await this.#write('rearmed', `${times}`);
  }

  /** Forgets which release the slot held and how that one fared; the record stays. */
  async clearRelease(): Promise<void> {
    await this.#remove(['status', 'slot_in_use', 'version', 'version_detail', 'failure']);
    await this.forgetTrial();
  }

  /** The trial of the release has ended, or another one will begin. */
  async forgetTrial(): Promise<void> {
    await this.#remove(trialFiles);
  }

  /**
   * How the guard beside the daemon, which has no Node, tells which slot runs: lines `PARTUUID=id`, `UUID=id`. Written
   * when they change only: every start calls it, also one on a full disk.
   */
  async setDevice(names: readonly string[]): Promise<void> {
    const text = `${names.join('\n')}\n`;
    if ((await this.#text('device', maxJsonBytes)) !== text) await this.#write('device', text);
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      for (const directory of this.#placesOf(name)) {
        await this.#naming(directory, name, 'removed', () => removeDurably(join(directory, name)));
      }
    }
  }

  async #write(name: string, text: string, inMirror = text): Promise<void> {
    for (const directory of this.#placesOf(name)) {
      const content = directory === this.directory ? text : inMirror;
      await this.#naming(directory, name, 'written', () => writeDurably(join(directory, name), content));
    }
  }

  #placesOf(name: string): readonly string[] {
    const isMirrored = this.#mirror !== undefined && mirrored.includes(name);
    return isMirrored ? [this.directory, this.#mirror.directory] : [this.directory];
  }

  async #text(name: string, maxBytes: number): Promise<string> {
    const read = (): Promise<Buffer | undefined> => readAtMost(join(this.directory, name), maxBytes);
    return (await this.#naming(this.directory, name, 'read', read))?.toString('utf8') ?? '';
  }

  #json(name: string): Promise<unknown> {
    return this.#naming(this.directory, name, 'read', () =>
      readSmallJson(join(this.directory, name), maxJsonBytes),
    );
  }

  /** What the file system says does not always tell of which file. */
  async #naming<T>(
    directory: string,
    name: string,
    done: 'read' | 'written' | 'removed',
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const what = `${join(directory, name)} could not be ${done}`;
      const why = whyAndMend(error, `the file system of ${directory}`);
      throw new BootError('status_failed', `${what}: ${why}`, { cause: error });
    }
  }
}
