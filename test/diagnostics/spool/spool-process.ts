import { parseArgs } from 'node:util';
import { Spool } from '#diagnostics/spool/spool.ts';
import { spoolOptions } from './spool-options.ts';

// Appends numbered messages as fast as it can, and writes the number of each to stdout once it is acknowledged. Killed by
// the test at a random moment.

const { positionals } = parseArgs({ allowPositionals: true });
const [directory = '', first = '0'] = positionals;
const spool = await Spool.open(spoolOptions(directory, { segmentBytes: 2000 }));
for (let n = Number(first); ; n++) {
  const record = { signal_identifier: `S${n}`, ts: BigInt(n), value: { item: { int: n } } };
  const stored = await spool.append(n % 3 === 0 ? 'critical' : 'bulk', [
    { item: { SpecifiedTimeStampedRecord: record } },
  ]);
  if (stored) process.stdout.write(`${n}\n`);
}
