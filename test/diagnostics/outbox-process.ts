import { performance } from 'node:perf_hooks';
import { parseOptions } from '#config/options.ts';
import type { Message } from '#diagnostics/messages/types.ts';
import { Outbox } from '#diagnostics/outbox.ts';
import { SignalStore } from '#diagnostics/signals/signal-store.ts';
import { priorities } from '#diagnostics/spool/priority.ts';
import { message } from './spool/spool-contents.ts';

// One ECU's diagnostics without the rest of the daemon, to be killed: stores numbered messages as fast as it can, says the
// number of each on stdout once it is acknowledged, and uploads. Settings come as one JSON argument.

export interface OutboxSettings {
  readonly ecuId: string;
  readonly directory: string;
  readonly uploadUrl: string;
  /** Where it takes segments of others. */
  readonly collectPort: number | undefined;
  /** First number; undefined to store nothing, and end once there is nothing left to upload. */
  readonly first: number | undefined;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as OutboxSettings;
const { ecuId, directory, uploadUrl, collectPort, first } = settings;
const yaml = `diagnostics:
  segment_bytes: 6000
  segment_age_ms: 300
  upload: { url: '${uploadUrl}' }
  collect: { enabled: ${collectPort !== undefined}, port: ${collectPort ?? 1}, host: 127.0.0.1, children: [child] }
`;
const { options, problem } = parseOptions(yaml, 'test', {});
if (problem !== undefined) throw problem;
const tell = (fields: object, line: string): void => {
  const { err, ...rest } = fields as { readonly err?: Error };
  process.stderr.write(
    `${Math.round(performance.now())} ${ecuId}: ${line} ${JSON.stringify(rest)} ${err?.message ?? ''}\n`,
  );
};
const outbox = await Outbox.open({
  options: options.diagnostics,
  directory,
  store: new SignalStore(),
  ecuId,
  clientVersion: 'test',
  softwareVersion: () => '1',
  units: () => ({}),
  host: '127.0.0.1',
  otherEcuIds: [],
  needsLink: () => false,
  log: { info() {}, warn: tell, error: tell },
});

if (first === undefined) await drain();
else await fill(first);

async function fill(from: number): Promise<void> {
  for (let n = from; ; n++) {
    // Three priorities in turn, so that a critical segment is sealed every few messages.
    const priority = priorities[n % 5] ?? 'bulk';
    const one: Message = message(n, `${n} `.repeat(40));
    if (await outbox.append(priority, [one], 'kills')) process.stdout.write(`${n}\n`);
  }
}

async function drain(): Promise<void> {
  process.stdout.write('draining\n');
  for (;;) {
    const { lanes, collectedSegments } = outbox.status;
    if (collectedSegments + lanes.reduce((sum, { segments }) => sum + segments, 0) === 0)
      process.stdout.write('empty\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
