import type { Datapoint } from '../../src/gen/kuksa/val/v2/types_pb.ts';

/** How the broker misbehaves. Nothing of it is set at first. */
export class Moods {
  /** Bearer token that calls need; empty for none. */
  token = '';
  /** What calls of an RPC end with (`*`: of every one), as a name of a gRPC code; `HANG` never answers. */
  readonly failing = new Map<string, string>();
  /** Signals that no message of a subscription has, as if the token did not allow to read them. */
  readonly hidden = new Set<string>();
  /** Signals that are in the catalog and cannot be subscribed to. */
  readonly forgotten = new Set<string>();
  /** Signals that refuse a subscription with PERMISSION_DENIED. */
  readonly denied = new Set<string>();
  /** What subscribers are told instead, whatever the catalog says. */
  readonly lies = new Map<string, Datapoint>();
  /** Metadata say no paths, as the first brokers with this service. */
  withoutPaths = false;
  /** How often each RPC was called. */
  readonly calls = new Map<string, number>();
}
