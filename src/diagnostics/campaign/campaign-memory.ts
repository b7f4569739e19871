import * as z from 'zod';
import type { Log } from '#domain/log.ts';
import { readSmallJson, writeDurably } from '#host/durable-file.ts';

/** What a campaign has to know when the daemon starts again. */
export interface RememberedCampaign {
  /** Names of triggers that fire once and did. */
  readonly fired: readonly string[];
  /** The last list of trouble codes, by trigger. */
  readonly codes: Readonly<Record<string, readonly string[]>>;
  /** Bytes that were kept in the running hour, which began `ageMs` before `at`, a Unix time in milliseconds. */
  readonly hour: { readonly at: number; readonly ageMs: number; readonly bytes: number } | undefined;
}

const maxBytes = 1024 * 1024;
/** More campaigns than this are not remembered; those that were told last are. */
const maxCampaigns = 256;

const texts = z.array(z.string().max(1024)).max(4096);
const remembered = z.object({
  fired: texts,
  codes: z.record(z.string(), texts),
  hour: z.object({ at: z.number(), ageMs: z.number().min(0), bytes: z.number().min(0) }).optional(),
});
const fileSchema = z.object({ format: z.literal(1), campaigns: z.record(z.string(), remembered) });

export const nothingRemembered: RememberedCampaign = { fired: [], codes: {}, hour: undefined };

/** The memory of all campaigns in one small file. A file that cannot be read or written costs the memory, nothing else. */
export class CampaignMemory implements AsyncDisposable {
  readonly #path: string;
  readonly #log: Log;
  readonly #campaigns: Map<string, RememberedCampaign>;
  #writing: Promise<void> | undefined;
  #isDirty = false;

  private constructor(path: string, log: Log, campaigns: Map<string, RememberedCampaign>) {
    this.#path = path;
    this.#log = log;
    this.#campaigns = campaigns;
  }

  static async open(path: string, log: Log): Promise<CampaignMemory> {
    const campaigns = new Map<string, RememberedCampaign>();
    const parsed = fileSchema.safeParse(await readSmallJson(path, maxBytes).catch(() => undefined));
    for (const [id, { fired, codes, hour }] of Object.entries(parsed.data?.campaigns ?? {})) {
      campaigns.set(id, { fired, codes, hour });
    }
    return new CampaignMemory(path, log, campaigns);
  }

  of(id: string): RememberedCampaign {
    return this.#campaigns.get(id) ?? nothingRemembered;
  }

  /** Durable soon after. */
  keep(id: string, campaign: RememberedCampaign): void {
    if (JSON.stringify(this.#campaigns.get(id)) === JSON.stringify(campaign)) return;
    this.#campaigns.delete(id);
    this.#campaigns.set(id, campaign);
    for (const oldest of this.#campaigns.keys()) {
      if (this.#campaigns.size <= maxCampaigns) break;
      this.#campaigns.delete(oldest);
    }
    this.#isDirty = true;
    this.#writing ??= this.#write();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What is told in the same turn is written at once.
    await Promise.resolve();
    while (this.#isDirty) {
      this.#isDirty = false;
      const file = { format: 1, campaigns: Object.fromEntries(this.#campaigns) };
      await writeDurably(this.#path, JSON.stringify(file), 0o600).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'what campaigns did is not remembered for the next start');
      });
    }
    this.#writing = undefined;
  }
}
