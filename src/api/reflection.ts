import type { DescFile } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { service as healthService } from 'grpc-health-check';
import { file_otaclient_v2 } from '#gen/otaclient_v2_pb.ts';

/** Lets tools such as grpcurl find out what this server offers, in both versions of the reflection protocol. */
export function addReflection(server: Server): void {
  const files = withImports(file_otaclient_v2).map(({ proto }) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, proto)),
  );
  const described = { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos: files };
  const health = healthService['Check']?.requestType;
  new ReflectionService({
    'OtaClientV2.File': described,
    ...(health === undefined ? {} : { 'grpc.health.v1.HealthCheckRequest': health }),
  } as ConstructorParameters<typeof ReflectionService>[0]).addToServer(server);
}

function withImports(file: DescFile): DescFile[] {
  return [...new Set([file, ...file.dependencies.flatMap(withImports)])];
}
