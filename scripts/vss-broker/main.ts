import { fstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { CatalogError, readCatalogs } from '../../src/diagnostics/signals/vss-catalog.ts';
import { Broker } from './broker.ts';
import { obey } from './orders.ts';

// node scripts/vss-broker/main.ts [--vss FILE]... [--host ADDRESS] [--port N] [--tls-cert FILE --tls-private-key FILE]
//
// A broker of VSS signals, kuksa.val.v2: what of a KUKSA databroker is needed to try diagnostics without a vehicle, and to
// test them. It takes orders on its standard input (orders.ts), and ends with it when that is a pipe. A token that calls need
// comes from VSS_BROKER_TOKEN.

const { values } = parseArgs({
  options: {
    vss: { type: 'string', multiple: true },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '55555' },
    'tls-cert': { type: 'string' },
    'tls-private-key': { type: 'string' },
  },
});
const { 'tls-cert': certificate, 'tls-private-key': key } = values;
const files = values.vss ?? [join(import.meta.dirname, 'vss.json')];
try {
  if ((certificate === undefined) !== (key === undefined))
    throw new CatalogError('--tls-cert and --tls-private-key go together');
  const leaves = [...readCatalogs(files.flatMap((one) => one.split(','))).values()];
  const broker = new Broker({
    leaves,
    host: values.host,
    port: Number(values.port),
    ...(certificate === undefined || key === undefined
      ? {}
      : { tls: { certificate: readFileSync(certificate), key: readFileSync(key) } }),
  });
  broker.moods.token = process.env['VSS_BROKER_TOKEN'] ?? '';
  await broker.listen();
  say({ listening: `${values.host}:${broker.port}`, signals: leaves.length });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    try {
      say({ ok: true, ...(await obey(broker, line)) });
    } catch (error) {
      say({ ok: false, problem: (error as Error).message });
    }
  }
  const input = fstatSync(0);
  if (input.isFIFO() || input.isSocket()) {
    broker.endSubscriptions();
    broker.stop();
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

function say(line: object): void {
  const text = JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
  process.stdout.write(`${text}\n`);
}
