import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner } from '#image/build/sign.ts';
import type { ImageSource } from '#image/build/source.ts';
import { type BuildOptions, type BuildReport, buildImage } from '#image/build/write-image.ts';
import { entryKinds } from '#image/file-table.ts';
import type { VerifiedImage } from '#image/image.ts';
import { readLegacyImage } from '#image/legacy/read-image.ts';
import { loadTrustStore } from '#image/trust/trust-store.ts';
import { scratchDirectory } from './scratch-directory.ts';

const neverAborted = new AbortController().signal;

export interface BuiltImage {
  readonly directory: string;
  readonly report: BuildReport;
  /** As a vehicle reads it, trust included. */
  readonly image: VerifiedImage;
  readonly keys: string;
}

/** Builds a really signed image from a source and reads it as a vehicle does. */
export async function buildAndRead(
  t: TestContext,
  source: ImageSource,
  options: Omit<BuildOptions, 'source' | 'output' | 'signer'> = {},
): Promise<BuiltImage> {
  const scratch = await scratchDirectory(t);
  const [directory, keys] = [join(scratch, 'image'), join(scratch, 'keys')];
  const { signCertificate: certificate, signKey: key } = await makeKeys({ directory: keys });
  const signer = await loadSigner({ certificate, key });
  const report = await buildImage({ ...options, source, output: directory, signer });
  return { directory, report, image: await readImage(directory, keys), keys };
}

/** Reads a signed image in a directory, trusting the certificates in `keys`. */
export async function readImage(directory: string, keys: string): Promise<VerifiedImage> {
  return await readLegacyImage({
    baseUrl: pathToFileURL(`${directory}/`),
    trust: await loadTrustStore(keys),
    fetch: (file) => createReadStream(fileURLToPath(file.url)) as AsyncIterable<Uint8Array>,
    now: new Date(),
    signal: neverAborted,
  });
}

/** An entry of an image in one line, to be compared: kind, mode in octal, then what the kind has. */
export type Listing = Readonly<Record<string, string>>;

/** Everything but owners; hard-link groups by the letters a, b, c in the order of the paths. */
export function listing({ table }: VerifiedImage): Listing {
  const lines: Record<string, string> = {};
  const letters = new Map<number, string>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    const mode = table.mode(entry).toString(8).padStart(4, '0');
    const kind = table.kind(entry);
    if (kind === entryKinds.directory) lines[table.path(entry)] = `dir ${mode}`;
    else if (kind === entryKinds.symlink) lines[table.path(entry)] = `-> ${table.target(entry)}`;
    else {
      const resource = table.resource(entry);
      const group = table.group(entry);
      if (group > 0 && !letters.has(group)) letters.set(group, String.fromCharCode(0x61 + letters.size));
      const parts = ['file', mode, String(table.resourceSize(resource))];
      if (table.isCompressed(resource)) parts.push('zst');
      if (group > 0) parts.push(`link ${letters.get(group)}`);
      lines[table.path(entry)] = parts.join(' ');
    }
  }
  return lines;
}
