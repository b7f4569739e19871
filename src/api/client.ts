import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import type { ServiceError } from '@grpc/grpc-js';
import { Metadata } from '@grpc/grpc-js';
import type { EcuAddress } from '#domain/ecu.ts';
import { authority } from '#domain/ecu.ts';
import type { CallContext, EcuAnswer, NamedRequest, UpdateRequest, VehicleReport } from '#ecu/ecu.ts';
import { OtaClientService, StatusRequestSchema } from '#gen/otaclient_v2_pb.ts';
import { clientErrorFrom } from './client-call-error.ts';
import { OtaClientError } from './client-error.ts';
import { decode, defaultMaxMessageBytes, encode, methodPath } from './grpc-methods.ts';
import { RemoteConnection } from './remote-connection.ts';
import { reportFromWire } from './wire-report.ts';
import {
  abortAnswersFromWire,
  abortRequestToWire,
  rollbackAnswersFromWire,
  rollbackRequestToWire,
  updateAnswersFromWire,
  updateRequestToWire,
} from './wire-requests.ts';

const { update, clientUpdate, rollback, abort, status } = OtaClientService.method;

/** Asks one daemon, for people and scripts. Every call rejects with an OtaClientError. Dispose it to let go. */
export class OtaClient {
  readonly #address: string;
  #connection: RemoteConnection;

  constructor(address: Omit<EcuAddress, 'ecuId'>) {
    this.#address = authority(address);
    this.#connection = this.#connect();
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
    this.#connection.retire();
  }

  async #call<In extends DescMessage, Out extends DescMessage>(
    method: DescMethodUnary<In, Out>,
    request: MessageShape<In>,
    { signal, budgetMs }: CallContext,
  ): Promise<MessageShape<Out>> {
    const connection = this.#usableConnection();
    const started = performance.now();
    let bytes: Buffer;
    try {
      bytes = await connection.call({
        path: methodPath(method),
        request: encode(method.input, request),
        metadata: new Metadata(),
        deadline: Date.now() + budgetMs,
        signal,
      });
    } catch (error) {
      const connected = connection.isConnected;
      // A daemon that lost its power never says so: the dead connection would swallow every call for minutes.
      if (connected && connection.lastAnswer < started) connection.retire();
      const call = { address: this.#address, method: method.name, budgetMs, connected };
      throw clientErrorFrom(error as ServiceError, call);
    }
    try {
      return decode(method.output, bytes);
    } catch (error) {
      const text = `${method.name} failed at ${this.#address}: the answer is no ${method.output.typeName}`;
      throw new OtaClientError('refused', text, { cause: error });
    }
  }

  #usableConnection(): RemoteConnection {
    if (!this.#connection.isUsable) {
      this.#connection.retire();
      this.#connection = this.#connect();
    }
    return this.#connection;
  }

  #connect(): RemoteConnection {
    return new RemoteConnection(this.#address, defaultMaxMessageBytes, defaultMaxMessageBytes);
  }
}
