import type { DescFile } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { service as healthService } from 'grpc-health-check';
import { file_otaclient_v2 } from '#gen/otaclient_v2_pb.ts';

/** Lets tools such as grpcurl find out what this server offers, in both versions of the reflection protocol. */
export function addReflection(server: Server): void {
  const files = [...withImports(file_otaclient_v2).map(({ proto }) => proto), ...healthFiles()];
  const described = {
    format: 'Protocol Buffer 3 DescriptorProto',
    type: {},
    fileDescriptorProtos: files.map((proto) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto))),
  };
  // The service takes what proto-loader makes; of that it reads only the descriptors.
  const served = { served: described } as ConstructorParameters<typeof ReflectionService>[0];
  new ReflectionService(served).addToServer(server);
}

function withImports(file: DescFile): DescFile[] {
  return [...new Set([...file.dependencies.flatMap(withImports), file])];
}

function healthFiles(): FileDescriptorProto[] {
  const files = healthService['Check']?.requestType.fileDescriptorProtos ?? [];
  return files.map((bytes) => {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    for (const message of file.messageType) nameMapEntries(message);
    return file;
  });
}

/**
 * The entry type of a map field has a fixed name, made from the field's. proto-loader gives it another, and then tools
 * refuse the whole file.
 */
function nameMapEntries(message: DescriptorProto): void {
  for (const nested of message.nestedType) {
    nameMapEntries(nested);
    const field = message.field.find(({ typeName }) => typeName.split('.').at(-1) === nested.name);
    if (nested.options?.mapEntry !== true || field === undefined) continue;
    const camel = field.name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    nested.name = `${camel}Entry`;
    field.typeName = nested.name;
  }
}
