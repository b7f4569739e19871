import type { VssDatatype, VssValue } from '#diagnostics/messages/vss-value.ts';

/** One signal of a broker's catalog. */
export interface BrokerSignal {
  readonly path: string;
  /** Undefined for a datatype that no message can carry. */
  readonly datatype: VssDatatype | undefined;
  /** Empty when it has none. */
  readonly unit: string;
}

/** What a broker says of one signal. */
export type BrokerReading =
  /** `ts`: microseconds since 1970 at which the broker was told; undefined when it does not say. */
  | { readonly kind: 'value'; readonly value: VssValue; readonly ts: bigint | undefined }
  /** The signal has no value. */
  | { readonly kind: 'absent' }
  /** A value that is not of the signal's datatype, or no number. `why` is for people. */
  | { readonly kind: 'refused'; readonly why: string };

export interface BrokerUpdate {
  readonly path: string;
  readonly reading: BrokerReading;
}

/** One connection to a broker of VSS signals. Errors of all its methods: BrokerError, and the signal's reason. */
export interface VssBroker extends Disposable {
  /** Fires when a connection that stood is gone. */
  readonly lost: AbortSignal;
  /** Name and version. */
  info(signal: AbortSignal): Promise<string>;
  /** What is known of these paths; unknown ones are left out. */
  catalog(paths: readonly string[], signal: AbortSignal): Promise<readonly BrokerSignal[]>;
  /**
   * The first update has all signals, later ones those that the broker was told of. Ends when the broker ends it. Whoever
   * stops reading early has to fire `signal`.
   */
  subscribe(
    datatypes: ReadonlyMap<string, VssDatatype>,
    signal: AbortSignal,
  ): AsyncIterable<readonly BrokerUpdate[]>;
  publish(path: string, datatype: VssDatatype, value: VssValue, signal: AbortSignal): Promise<void>;
}

/** How to get at a broker. */
export interface BrokerAccess {
  /** `host:port`, for people. */
  readonly address: string;
  /** Credentials are read anew. Connects when it is first called. Errors: BrokerError `configuration`. */
  connect(): Promise<VssBroker>;
  /** Resolves when there are other credentials than at the last `connect`. Errors: the signal's reason. */
  otherCredentials(signal: AbortSignal): Promise<void>;
}

export type BrokerErrorCode =
  /** Does not answer, or not now. */
  | 'unreachable'
  /** No token, or one that does not hold (any more). */
  | 'unauthenticated'
  /** The token does not allow it. */
  | 'denied'
  /** One of the signals is not in its catalog. */
  | 'unknown_signal'
  /** The request makes no sense to it. */
  | 'refused'
  /** It does not have the service. */
  | 'unsupported'
  /** Our own options name something that cannot be used. */
  | 'configuration';

/** Why a broker gives us nothing. `message` is for people and holds no secret. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;

  constructor(code: BrokerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Whether trying again soon can help, with nothing changed by anybody. */
  get isPassing(): boolean {
    return this.code === 'unreachable' || this.code === 'unknown_signal';
  }
}
