import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { handleServerStreamingCall, handleUnaryCall, Server, ServerWritableStream } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { sameBytes } from './grpc-methods.ts';

/** Numbers of `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const servingStatuses = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
type ServingStatus = keyof typeof servingStatuses;

type Watcher = ServerWritableStream<Buffer, Buffer>;

/** More than one server has services. */
const maxWatchers = 256;

/**
 * The standard health service, `grpc.health.v1.Health`, for services that are all up or all going down. By hand, because
 * the usual package loads a second implementation of protobuf: 6 MiB for three methods.
 */
export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<Watcher>();
  #status: 'SERVING' | 'NOT_SERVING' = 'SERVING';

  /** The empty name is the whole server. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  addTo(server: Server): void {
    const path = '/grpc.health.v1.Health';
    const bytes = {
      requestStream: false,
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    } as const;
    server.addService(
      {
        check: { ...bytes, path: `${path}/Check`, responseStream: false },
        list: { ...bytes, path: `${path}/List`, responseStream: false },
        watch: { ...bytes, path: `${path}/Watch`, responseStream: true },
      },
      { check: this.#check, list: this.#list, watch: this.#watch },
    );
  }

  /** Tells everybody who watches that the server goes down. */
  stop(): void {
    this.#status = 'NOT_SERVING';
    for (const watcher of this.#watchers) watcher.write(answer('NOT_SERVING'));
  }

  readonly #check: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const service = serviceIn(call.request);
    if (service === undefined) {
      callback({ code: status.INVALID_ARGUMENT, details: 'the bytes are not a HealthCheckRequest' });
    } else if (this.#services.has(service)) callback(null, answer(this.#status));
    else callback({ code: status.NOT_FOUND, details: 'this server has no such service' });
  };

  /** `HealthListResponse`: `map<string, HealthCheckResponse> statuses = 1`. */
  readonly #list: handleUnaryCall<Buffer, Buffer> = (_call, callback) => {
    const all = new BinaryWriter();
    for (const service of this.#services) {
      all.tag(1, WireType.LengthDelimited).fork();
      all.tag(1, WireType.LengthDelimited).string(service);
      all.tag(2, WireType.LengthDelimited).bytes(answer(this.#status));
      all.join();
    }
    callback(null, Buffer.from(all.finish()));
  };

  readonly #watch: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    const service = serviceIn(call.request);
    if (service === undefined || this.#watchers.size >= maxWatchers) {
      const code = service === undefined ? status.INVALID_ARGUMENT : status.RESOURCE_EXHAUSTED;
      call.emit('error', { code, details: service === undefined ? 'not a request' : 'too many watch' });
      return;
    }
    const known = this.#services.has(service);
    call.write(answer(known ? this.#status : 'SERVICE_UNKNOWN'));
    // What is not known now never will be, but the stream stays open, as the protocol has it.
    if (known) this.#watchers.add(call);
    call.on('cancelled', () => {
      this.#watchers.delete(call);
      call.end();
    });
  };
}

/** `HealthCheckRequest`: `string service = 1`. Undefined when the bytes are something else. */
function serviceIn(request: Buffer): string | undefined {
  try {
    const reader = new BinaryReader(request);
    let service = '';
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.LengthDelimited) service = reader.string();
      else reader.skip(type);
    }
    return service;
  } catch {
    return undefined;
  }
}

/** `HealthCheckResponse`: `ServingStatus status = 1`. */
function answer(serving: ServingStatus): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.Varint).int32(servingStatuses[serving]).finish());
}
