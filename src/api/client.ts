import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { EcuAddress } from '#domain/ecu.ts';
import { authority } from '#domain/ecu.ts';
import type { CallContext, EcuAnswer, NamedRequest, UpdateRequest, VehicleReport } from '#ecu/ecu.ts';
import { OtaClientService, StatusRequestSchema } from '#gen/otaclient_v2_pb.ts';
import { clientErrorFrom } from './client-call-error.ts';
import { reportFromWire } from './wire-report.ts';
import {
  abortAnswersFromWire,
  abortRequestToWire,
  rollbackAnswersFromWire,
  rollbackRequestToWire,
  updateAnswersFromWire,
  updateRequestToWire,
} from './wire-requests.ts';

/** A giant answer of a broken peer must not fill the memory. */
const maxAnswerBytes = 4 * 1024 * 1024;

const channelOptions = {
  'grpc.max_receive_message_length': maxAnswerBytes,
  // Daemons restart during an update; they are to be found again at once.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 1000,
  // A proxy for the internet (http_proxy) is none for the vehicle's own network.
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
};

const { update, clientUpdate, rollback, abort, status } = OtaClientService.method;

/** Asks one daemon, for people and scripts. Every call rejects with an OtaClientError. Dispose it to let go. */
export class OtaClient {
  readonly #address: string;
  readonly #client: Client;

  constructor(address: Omit<EcuAddress, 'ecuId'>) {
    this.#address = authority(address);
    this.#client = new Client(this.#address, credentials.createInsecure(), channelOptions);
  }

  async update(request: UpdateRequest, call: CallContext): Promise<EcuAnswer[]> {
    return updateAnswersFromWire(await this.#call(update, updateRequestToWire(request), call));
  }

  async clientUpdate(request: UpdateRequest, call: CallContext): Promise<EcuAnswer[]> {
    return updateAnswersFromWire(await this.#call(clientUpdate, updateRequestToWire(request), call));
  }

  async rollback(request: NamedRequest, call: CallContext): Promise<EcuAnswer[]> {
    return rollbackAnswersFromWire(await this.#call(rollback, rollbackRequestToWire(request), call));
  }

  async abort(request: NamedRequest, call: CallContext): Promise<EcuAnswer[]> {
    return abortAnswersFromWire(await this.#call(abort, abortRequestToWire(request), call));
  }

  async status(call: CallContext): Promise<VehicleReport> {
    return reportFromWire(await this.#call(status, create(StatusRequestSchema), call));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageShape<In>,
    { signal, budgetMs }: CallContext,
  ): Promise<MessageShape<Out>> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<Out>>();
    const running = this.#client.makeUnaryRequest<MessageShape<In>, MessageShape<Out>>(
      `/${method.parent.typeName}/${method.name}`,
      (message) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      request,
      { deadline: Date.now() + budgetMs },
      (error, answer) => {
        signal.removeEventListener('abort', cancel);
        if (error === null && answer !== undefined) resolve(answer);
        else if (error !== null) reject(this.#failure(error, method.name, budgetMs));
      },
    );
    const cancel = (): void => running.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    return promise;
  }

  #failure(error: Parameters<typeof clientErrorFrom>[0], method: string, budgetMs: number): Error {
    const state = this.#client.getChannel().getConnectivityState(false);
    return clientErrorFrom(error, {
      address: this.#address,
      method,
      budgetMs,
      connected: state === connectivityState.READY,
    });
  }
}
