import { z } from 'zod';
import type { SlotArchive } from '#boot/slot-archive.ts';
import { maxArchiveFileBytes, quarantineFile } from '#boot/slot-archive.ts';
import type { Slots } from '#boot/slots.ts';
import { OtaFailure } from '#domain/failure.ts';
import { timeSchema } from './timeline.ts';

/** A release that this ECU came back from by itself. */
export interface QuarantinedRelease {
  readonly version: string;
  /** Digest of the image's signed description. */
  readonly imageDigest: string;
  /** Unix time in milliseconds of the last return. */
  readonly at: number;
  /** In words that continue "because". */
  readonly why: string;
  /** Id of its black box; empty when none could be written. */
  readonly blackBox: string;
}

/** What names a release beyond doubt. */
export type ReleaseName = Pick<QuarantinedRelease, 'version' | 'imageDigest'>;

export interface QuarantineList {
  /** Oldest first. */
  readonly releases: readonly QuarantinedRelease[];
  /** Why the list may be incomplete; undefined when it is not. */
  readonly problem: string | undefined;
}

const entrySchema = z.object({
  version: z.string(),
  image_digest: z.string(),
  at: timeSchema,
  why: z.string(),
  black_box: z.string(),
});
const schema = z.object({ format: z.literal(1), releases: z.array(z.unknown()) });

/** An ECU that fails more often than that is not mended by a longer list. */
const maxReleases = 64;

/**
 * The releases that this ECU refuses. The list of the running slot counts; that of the other slot is asked only when it
 * is damaged. Nothing is remembered in between: the command line may clear it. Errors: those of the file system.
 */
export class Quarantine {
  readonly #slots: Pick<Slots, 'withArchive'>;

  constructor(slots: Pick<Slots, 'withArchive'>) {
    this.#slots = slots;
  }

  async list(): Promise<QuarantineList> {
    const own = await this.#slots.withArchive('current', 'read', read);
    if (own.problem === undefined) return own;
    const other = await this.#slots.withArchive('standby', 'read', read).catch(() => undefined);
    const more = other?.releases.filter((one) => !own.releases.some((two) => isSameRelease(one, two))) ?? [];
    return { ...own, releases: [...more, ...own.releases] };
  }

  /** Why an update to this release is refused; undefined when it is not quarantined. */
  async refusal(release: ReleaseName): Promise<OtaFailure | undefined> {
    const found = (await this.list()).releases.find((one) => isSameRelease(one, release));
    if (found === undefined) return undefined;
    const { version, imageDigest, at, why, blackBox } = found;
    const when = new Date(at).toISOString();
    const see = blackBox === '' ? '' : `, see \`ota blackbox show ${blackBox}\``;
    return new OtaFailure(
      'quarantined',
      `version ${version} (image ${imageDigest.slice(0, 12)}) was left on ${when} because ${why}${see}`,
    );
  }

  /** Puts a release on the list, in place of what the list says of it. */
  async add(release: QuarantinedRelease): Promise<void> {
    const { releases } = await this.list();
    const others = releases.filter((one) => !isSameRelease(one, release));
    await this.#slots.withArchive('current', 'write', (archive) => write(archive, [...others, release]));
  }

  /** Takes a release off the list; all of them without one. Answers those that were on it. */
  async remove(release?: ReleaseName): Promise<readonly QuarantinedRelease[]> {
    const { releases, problem } = await this.list();
    const off = releases.filter((one) => release === undefined || isSameRelease(one, release));
    if (off.length === 0 && problem === undefined) return off;
    const stay = releases.filter((one) => !off.includes(one));
    await this.#slots.withArchive('current', 'write', (archive) => write(archive, stay));
    // For a rollback to the other release. Where that is out of reach, it is only more careful than it need be.
    await this.#slots
      .withArchive('standby', 'write', async (archive) => {
        const theirs = await read(archive);
        const rest = theirs.releases.filter((one) => release !== undefined && !isSameRelease(one, release));
        if (rest.length < theirs.releases.length) await write(archive, rest);
      })
      .catch(() => {});
    return off;
  }
}

async function read(archive: SlotArchive): Promise<QuarantineList> {
  const content = await archive.read(quarantineFile);
  if (content === undefined) return { releases: [], problem: undefined };
  const list = schema.safeParse(content);
  const entries = list.success ? list.data.releases.map((entry) => entrySchema.safeParse(entry)) : [];
  const releases = entries.flatMap(({ data }) => {
    if (data === undefined) return [];
    const { version, image_digest: imageDigest, at, why, black_box: blackBox } = data;
    return [{ version, imageDigest, at, why, blackBox }];
  });
  const damaged = !list.success || releases.length < entries.length;
  const problem = damaged ? `the list of quarantined releases (${quarantineFile}) is damaged` : undefined;
  return { releases, problem };
}

/** The newest, as many as there is room for. */
async function write(archive: SlotArchive, releases: readonly QuarantinedRelease[]): Promise<void> {
  const entries = releases.map(({ version, imageDigest, at, why, blackBox }): z.input<typeof entrySchema> => {
    return { version, image_digest: imageDigest, at, why, black_box: blackBox };
  });
  let kept = entries.slice(-maxReleases);
  // A version may be a kilobyte long.
  while (Buffer.byteLength(JSON.stringify({ format: 1, releases: kept })) >= maxArchiveFileBytes) {
    kept = kept.slice(1);
  }
  await archive.write(quarantineFile, { format: 1, releases: kept });
}

/** Two images of one version are two releases. */
export function isSameRelease(one: ReleaseName, other: ReleaseName): boolean {
  return one.version === other.version && one.imageDigest === other.imageDigest;
}
