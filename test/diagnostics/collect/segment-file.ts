import { randomBytes, randomUUID } from 'node:crypto';
import { encodeMessage } from '#diagnostics/messages/codec.ts';
import { writeContainerBlock, writeContainerHeader } from '#diagnostics/messages/container.ts';
import { sha256Of } from '#diagnostics/spool/sums.ts';
import { message, noise } from '../spool/spool-contents.ts';

/** A segment as a child seals it. */
export function segmentFile(
  change: {
    readonly ecu?: string;
    readonly vehicle?: string;
    readonly priority?: string;
    readonly bytes?: number;
  } = {},
): { readonly id: string; readonly body: Buffer; readonly sha256: string } {
  const { ecu = 'child', vehicle = ecu, priority = 'normal', bytes = 100 } = change;
  const id = randomUUID();
  const metadata = {
    'vehicle.id': vehicle,
    'ecu.id': ecu,
    'segment.id': id,
    'segment.sequence': '7',
    'segment.priority': priority,
  };
  const header = { name: 'MessageSequence', codec: 'deflate', metadata, sync: randomBytes(16) } as const;
  const block = writeContainerBlock(
    [encodeMessage('MessageSequence', { seq: [message(1, noise(bytes))] })],
    header,
  );
  const body = Buffer.concat([writeContainerHeader(header), block]);
  return { id, body, sha256: sha256Of(body) };
}

export function digestHeader(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
}
