/** One body to fetch. */
export interface WireRequest {
  readonly url: URL;
  /** The longest body that is accepted, in bytes. */
  readonly maxBytes: number;
  /** Length of the body in bytes as the image says; another length is a failed attempt. */
  readonly expectedBytes?: number | undefined;
  /**
   * Path of a file that keeps the bytes as they arrive, over restarts of the process: what it holds is never asked
   * for again where the server can resume. Its folder must exist, and one reader uses it at a time. It stays after the
   * end: the caller verifies the digest and then removes it.
   */
  readonly part?: string | undefined;
  /** Digest of the decoded file, for the cache in the vehicle. Nothing is verified here. */
  readonly sha256?: string | undefined;
  /** The body is zstd; told to the cache in the vehicle. */
  readonly compressed?: boolean | undefined;
  /** The cache in the vehicle must neither answer nor keep this: the signed description. */
  readonly noCache?: boolean | undefined;
  /** What the cache in the vehicle gave did not have the right digest: it shall fetch anew. */
  readonly retryCaching?: boolean | undefined;
}
