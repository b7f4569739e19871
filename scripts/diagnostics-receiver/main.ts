import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createReceiver } from './receiver.ts';

const usage = `Usage: node scripts/diagnostics-receiver/main.ts [options]

Receives diagnostics: PUT /vehicles/<vehicle>/diagnostics/<id>, and keeps each as <directory>/<vehicle>/<id>.avro.

  --directory DIR   where they go                     (received)
  --host ADDRESS    address to listen on              (127.0.0.1)
  --port N          port to listen on; 0 for any      (8080)
  --max-bytes N     largest segment that is taken     (16777216)

A bearer token, if there is to be one, comes from OTA_RECEIVER_TOKEN.
`;

function main(): Promise<void> | undefined {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      options: {
        directory: { type: 'string', default: 'received' },
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8080' },
        'max-bytes': { type: 'string', default: '16777216' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  if (values['help'] === true) {
    process.stdout.write(usage);
    return undefined;
  }
  const [port, maxBytes] = [Number(values['port']), Number(values['max-bytes'])];
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    return fail('--port is a whole number from 0 to 65535');
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) return fail('--max-bytes is a whole number from 1 on');
  return listen(String(values['directory']), String(values['host']), port, maxBytes);
}

async function listen(directory: string, host: string, port: number, maxBytes: number): Promise<void> {
  const server = createReceiver({ directory, maxBytes, token: process.env['OTA_RECEIVER_TOKEN'] ?? '' });
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    return fail(
      `cannot listen at ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const { address, port: bound } = server.address() as AddressInfo;
  const shown = address.includes(':') ? `[${address}]` : address;
  process.stdout.write(`receiving at http://${shown}:${bound} into ${directory}\n`);
  const stop = (): void => {
    server.close();
    server.closeIdleConnections();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function fail(problem: string): undefined {
  process.stderr.write(`${problem}\n\n${usage}`);
  process.exitCode = 2;
}

await main();
