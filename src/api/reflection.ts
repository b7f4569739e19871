import { Duplex } from 'node:stream';
import type { DescFile } from '@bufbuild/protobuf';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import type {
  handleBidiStreamingCall,
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { file_otaclient_v2 } from '#gen/otaclient_v2_pb.ts';
import { sameBytes } from './grpc-methods.ts';

const methodName = 'ServerReflectionInfo';
const paths = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/${methodName}`,
);

/** One version of the reflection protocol, as the package serves it. */
interface Served {
  readonly definition: MethodDefinition<object, object>;
  readonly handler: handleBidiStreamingCall<object, object>;
}

type RawStream = ServerDuplexStream<Buffer, Buffer>;

/**
 * Lets tools such as grpcurl find out what this server offers, in both versions of the reflection protocol. What answers
 * is loaded when somebody asks: it brings a second implementation of protobuf, which an idle daemon does without.
 */
export function addReflection(server: Server): void {
  let loaded: Promise<ReadonlyMap<string, Served>> | undefined;
  for (const path of paths) {
    const serve = async (call: RawStream): Promise<void> => {
      loaded ??= loadReflection();
      const served = (await loaded).get(path);
      if (served === undefined) throw new Error(`the package does not serve ${path}`);
      served.handler(withMessages(call, served.definition));
    };
    const info = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: sameBytes,
      requestDeserialize: sameBytes,
      responseSerialize: sameBytes,
      responseDeserialize: sameBytes,
    };
    server.addService(
      { info },
      {
        info: (call: RawStream) => {
          serve(call).catch((error: unknown) => {
            call.emit('error', { code: status.INTERNAL, details: String(error) });
          });
        },
      },
    );
  }
}

async function loadReflection(): Promise<ReadonlyMap<string, Served>> {
  const { ReflectionService } = await import('@grpc/reflection');
  const files = [...withImports(file_otaclient_v2).map(({ proto }) => proto), ...(await healthFiles())];
  const described = {
    format: 'Protocol Buffer 3 DescriptorProto',
    type: {},
    fileDescriptorProtos: files.map((proto) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto))),
  };
  // The service takes what proto-loader makes; of that it reads only the descriptors.
  const package_ = { served: described } as ConstructorParameters<typeof ReflectionService>[0];
  const served = new Map<string, Served>();
  const collect = (service: ServiceDefinition, handlers: UntypedServiceImplementation): void => {
    const definition = service[methodName];
    const handler = handlers[methodName];
    if (definition === undefined || handler === undefined) return;
    served.set(definition.path, { definition, handler: handler as Served['handler'] });
  };
  new ReflectionService(package_).addToServer({ addService: collect });
  return served;
}

/** A stream of messages over one of bytes. */
function withMessages(
  call: RawStream,
  { requestDeserialize, responseSerialize }: Served['definition'],
): ServerDuplexStream<object, object> {
  const stream = new Duplex({
    objectMode: true,
    read: () => call.resume(),
    write: (message: object, _encoding, done) => {
      call.write(responseSerialize(message));
      done();
    },
    final: (done) => {
      call.end();
      done();
    },
  });
  call.on('data', (bytes: Buffer) => {
    try {
      if (!stream.push(requestDeserialize(bytes))) call.pause();
    } catch {
      call.emit('error', { code: status.INVALID_ARGUMENT, details: 'the bytes are not a request' });
    }
  });
  call.on('end', () => stream.push(null));
  call.on('cancelled', () => stream.destroy());
  return stream as unknown as ServerDuplexStream<object, object>;
}

function withImports(file: DescFile): DescFile[] {
  return [...new Set([...file.dependencies.flatMap(withImports), file])];
}

async function healthFiles(): Promise<FileDescriptorProto[]> {
  const { service } = await import('grpc-health-check');
  const files = service['Check']?.requestType.fileDescriptorProtos ?? [];
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
