/** Where one reader's traffic is counted. */
export interface WireMeter {
  /** Body bytes that came over the network, those of failed attempts and of skipped repetitions included. */
  bytes(count: number): void;
  /** One attempt failed, whether it is tried again or not. */
  failedAttempt(error: unknown): void;
}
