import type { DescMessage, DescMethodUnary } from '@bufbuild/protobuf';
import { fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';

/** Largest message that is taken or sent, the default of gRPC. */
export const defaultMaxMessageBytes = 4 * 1024 * 1024;

/** Request metadata by which an ECU tells its child that it answers itself for what is not below the child. */
export const parentHeader = 'ota-parent';

/** `/package.Service/Method`. */
export function methodPath(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** grpc-js is given bytes only: what it makes of an error while decoding is INTERNAL, whoever is to blame. */
export function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}

export function encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws when the bytes are not this message. Unknown fields and enum numbers are kept in it. */
export function decode<D extends DescMessage>(schema: D, bytes: Buffer): MessageShape<D> {
  return fromBinary(schema, bytes);
}
