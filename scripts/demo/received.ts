import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readContainer } from '#diagnostics/messages/container.ts';
import { type Sample, samplesOf } from '#diagnostics/messages/samples.ts';

/** What the receiver got of one ECU. */
export interface ReceivedEcu {
  readonly ecuId: string;
  segments: number;
  values: number;
}

/** Everything that the receiver has. */
export interface Received {
  readonly ecus: readonly ReceivedEcu[];
  readonly samples: readonly Sample[];
  readonly bytes: number;
}

/** Reads all container files below a directory. Errors: MessageError for a damaged one, those of the file system. */
export async function readReceived(directory: string): Promise<Received> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.avro'));
  const ecus = new Map<string, ReceivedEcu>();
  const samples: Sample[] = [];
  let bytes = 0;
  for (const name of names) {
    const file = await readFile(join(directory, name));
    bytes += file.length;
    const { header, messages } = readContainer(file);
    const ecuId = header.metadata['ecu.id'] ?? '?';
    const ecu = ecus.get(ecuId) ?? { ecuId, segments: 0, values: 0 };
    ecus.set(ecuId, ecu);
    ecu.segments++;
    for (const message of messages) {
      for (const sample of samplesOf(header.name, message)) {
        samples.push(sample);
        ecu.values++;
      }
    }
  }
  return { ecus: [...ecus.values()].toSorted((a, b) => (a.ecuId < b.ecuId ? -1 : 1)), samples, bytes };
}
