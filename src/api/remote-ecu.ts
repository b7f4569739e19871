import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { authority, type EcuAddress, type EcuId } from '#domain/ecu.ts';
import { ChildEcuError, type ChildEcuErrorCode } from '#ecu/child-ecu-error.ts';
import type { CallContext, ChildEcu, ChildReport, EcuAnswer, NamedRequest, UpdateRequest } from '#ecu/ecu.ts';
import { OtaClientService, StatusRequestSchema } from '#gen/otaclient_v2_pb.ts';
import { decode, defaultMaxMessageBytes, encode, methodPath, parentHeader } from './grpc-methods.ts';
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

/** Largest answer taken from a child. */
const maxAnswerBytes = 1024 * 1024;

/**
 * What all children together may report in one round of Status. Their reports go out again in one answer, at worst in
 * both generations for each ECU that came in with one, and that must stay below the 4 MiB that readers take.
 */
const allReportsBytes = 1_500_000;

export interface RemoteEcuOptions {
  /** How many children share the room for reports. */
  readonly siblings: number;
  /** Largest request sent, in bytes. */
  readonly maxMessageBytes?: number;
}

/** A directly connected child, over gRPC. One channel for its whole life, replaced when it is of no use. */
export class RemoteEcu implements ChildEcu, Disposable {
  readonly id: EcuId;
  readonly #authority: string;
  readonly #maxReportBytes: number;
  readonly #maxSendBytes: number;
  #connection: RemoteConnection;

  constructor(address: EcuAddress, options: RemoteEcuOptions) {
    this.id = address.ecuId;
    this.#authority = authority(address);
    this.#maxReportBytes = Math.min(
      maxAnswerBytes,
      Math.floor(allReportsBytes / Math.max(1, options.siblings)),
    );
    this.#maxSendBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.#connection = this.#connect();
  }

  async update(request: UpdateRequest, call: CallContext): Promise<readonly EcuAnswer[]> {
    const wire = updateRequestToWire(request);
    return updateAnswersFromWire(
      await this.#call(OtaClientService.method.update, wire, call, maxAnswerBytes),
    );
  }

  async clientUpdate(request: UpdateRequest, call: CallContext): Promise<readonly EcuAnswer[]> {
    const wire = updateRequestToWire(request);
    const answer = await this.#call(OtaClientService.method.clientUpdate, wire, call, maxAnswerBytes);
    return updateAnswersFromWire(answer);
  }

  async rollback(request: NamedRequest, call: CallContext): Promise<readonly EcuAnswer[]> {
    const wire = rollbackRequestToWire(request);
    return rollbackAnswersFromWire(
      await this.#call(OtaClientService.method.rollback, wire, call, maxAnswerBytes),
    );
  }

  async abort(request: NamedRequest, call: CallContext): Promise<readonly EcuAnswer[]> {
    const wire = abortRequestToWire(request);
    return abortAnswersFromWire(await this.#call(OtaClientService.method.abort, wire, call, maxAnswerBytes));
  }

  async status(call: CallContext): Promise<ChildReport> {
    const wire = create(StatusRequestSchema);
    return reportFromWire(await this.#call(OtaClientService.method.status, wire, call, this.#maxReportBytes));
  }

  /** Asks what OtaClientV2 cannot tell. */
  ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    call: CallContext,
  ): Promise<MessageShape<O>> {
    return this.#call(method, request, call, maxAnswerBytes);
  }

  /** Ends the connection once calls under way have ended. */
  [Symbol.dispose](): void {
    this.#connection.retire();
  }

  async #call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    { signal, budgetMs }: CallContext,
    maxBytes: number,
  ): Promise<MessageShape<O>> {
    const metadata = new Metadata();
    metadata.set(parentHeader, '1');
    const bytes = await this.#send({
      path: methodPath(method),
      request: encode(method.input, request),
      metadata,
      deadline: Date.now() + budgetMs,
      signal,
    });
    if (bytes.length > maxBytes) throw new ChildEcuError(this.id, 'too_large');
    try {
      return decode(method.output, bytes);
    } catch (error) {
      throw new ChildEcuError(this.id, 'malformed', { cause: error });
    }
  }

  async #send(call: Parameters<RemoteConnection['call']>[0]): Promise<Buffer> {
    const connection = this.#usableConnection();
    const started = performance.now();
    try {
      return await connection.call(call);
    } catch (error) {
      const code = codeOf(error as ServiceError);
      // A peer that lost its power never says so: the dead connection would swallow every call for minutes.
      if (code === 'deadline' && connection.lastAnswer < started) connection.retire();
      throw new ChildEcuError(this.id, code, { cause: error });
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
    return new RemoteConnection(this.#authority, maxAnswerBytes, this.#maxSendBytes);
  }
}

function codeOf(error: Partial<ServiceError>): ChildEcuErrorCode {
  switch (error.code) {
    case status.UNIMPLEMENTED:
      return 'unimplemented';
    case status.DEADLINE_EXCEEDED:
      return 'deadline';
    case status.UNAVAILABLE:
      return 'unavailable';
    case status.RESOURCE_EXHAUSTED:
      return 'too_large';
    default:
      return 'other';
  }
}
