import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ServiceError } from '@grpc/grpc-js';
import { Metadata, status } from '@grpc/grpc-js';
import type { ProbeFailure } from '#domain/trial-end.ts';
import { networkSeen } from '#host/network-seen.ts';
import { RemoteConnection } from './remote-connection.ts';

/** Methods and numbers of the standard health protocol, `grpc/health/v1/health.proto`. */
const checkPath = '/grpc.health.v1.Health/Check';
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

const maxMessageBytes = 64 * 1024;

/**
 * Asks the standard health service at `address` (`host:port`, IPv6 in brackets) once; an empty `service` means the whole
 * server. Undefined when it is SERVING. Errors: only the signal's reason.
 */
export async function probeGrpcHealth(
  { address, service }: { readonly address: string; readonly service: string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeFailure | undefined> {
  signal.throwIfAborted();
  const connection = new RemoteConnection(address, maxMessageBytes, maxMessageBytes);
  try {
    const answer = await connection.call({
      path: checkPath,
      request: requestFor(service),
      metadata: new Metadata(),
      deadline: Date.now() + timeoutMs,
      signal,
    });
    const found = servingStatus(answer);
    return found === 'SERVING' ? undefined : { how: `said ${found}`, output: '' };
  } catch (error) {
    signal.throwIfAborted();
    const { code, details } = error as Partial<ServiceError>;
    if (code === undefined) return { how: 'answered what is not a health status', output: String(error) };
    // A server that answered has said what is wrong; where none did, the fault may be on this side.
    const unanswered = code === status.DEADLINE_EXCEEDED || code === status.UNAVAILABLE;
    const output = [details, unanswered ? networkSeen() : ''].filter(Boolean).join('\n');
    if (code === status.DEADLINE_EXCEEDED) return { how: `did not answer within ${timeoutMs} ms`, output };
    return { how: `failed with ${status[code] ?? `code ${code}`}`, output };
  } finally {
    connection.retire();
  }
}

/** `HealthCheckRequest`: its only field is `string service = 1`. */
function requestFor(service: string): Buffer {
  if (service === '') return Buffer.alloc(0);
  return Buffer.from(new BinaryWriter().tag(1, WireType.LengthDelimited).string(service).finish());
}

/** `HealthCheckResponse`: its only field is `ServingStatus status = 1`. */
function servingStatus(answer: Buffer): string {
  const reader = new BinaryReader(answer);
  let number = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) number = reader.int32();
    else reader.skip(type);
  }
  return servingStatuses[number] ?? `status ${number}`;
}
