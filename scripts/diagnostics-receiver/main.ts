import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createReceiver } from './receiver.ts';

// node scripts/diagnostics-receiver/main.ts [--directory DIR] [--host ADDRESS] [--port N] [--max-bytes N]
// A bearer token, if there is to be one, comes from OTA_RECEIVER_TOKEN.

const { values } = parseArgs({
  options: {
    directory: { type: 'string', default: 'received' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    'max-bytes': { type: 'string', default: '16777216' },
  },
});
const server = createReceiver({
  directory: values.directory,
  maxBytes: Number(values['max-bytes']),
  token: process.env['OTA_RECEIVER_TOKEN'] ?? '',
});
server.listen(Number(values.port), values.host);
await once(server, 'listening');
const { address, port } = server.address() as AddressInfo;
process.stdout.write(`receiving at http://${address}:${port} into ${values.directory}\n`);
