/** The name of an ECU, unique in its vehicle: `ecu_id` in `ecu_info.yml` and in every request. */
export type EcuId = string;

/** Longest ECU name that is accepted from a peer or a file, in UTF-16 units. */
export const maxEcuIdLength = 128;

/** A child ECU and where its daemon listens. */
export interface EcuAddress {
  readonly ecuId: EcuId;
  /** An IP literal; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port` as gRPC and URLs want it: IPv6 literals in brackets. */
export function authority(address: { readonly host: string; readonly port: number }): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
