/** Why something could not be fetched, in the end: retries are over, or would not help. */
export type NetErrorCode =
  /** 401: the server wants other cookies. */
  | 'unauthorized'
  /** 403: as above; some content networks also answer this for what does not exist. */
  | 'forbidden'
  /** 404 or 410. */
  | 'not_found'
  /** The file system of the part file is full, or its quota is used up. */
  | 'no_space'
  /** The part file cannot be read or written for another reason; the cause has the errno. */
  | 'part_failed'
  /** No request of this source received a byte for the configured time. */
  | 'no_progress'
  /** The body is longer than the caller allows. */
  | 'too_large'
  /** The last attempt of this request failed too; it is the cause. */
  | 'attempts_exhausted'
  /** Not a URL or header that can be sent. */
  | 'bad_url'
  /** Too many redirects, or one from https to http. */
  | 'redirect_refused'
  /** What the URL names changed while it was read, after bytes of the old content were handed out. Read again. */
  | 'entity_changed'
  /** The server answers what this client cannot use. */
  | 'protocol'
  /** The source was closed while the request was under way. */
  | 'closed';

/** A request failed for good. Carries no secrets: neither cookies nor the query or user of the URL. */
export class NetError extends Error {
  override readonly name = 'NetError';
  readonly code: NetErrorCode;
  /** As {@link publicUrl}; empty when the error is not about one URL. */
  readonly url: string;
  /** HTTP status, when an answer was the reason. */
  readonly status: number | undefined;

  constructor(
    code: NetErrorCode,
    url: URL | undefined,
    detail: string,
    options?: { readonly status?: number; readonly cause?: unknown },
  ) {
    const shown = url === undefined ? '' : publicUrl(url);
    super(shown === '' ? detail : `${shown}: ${detail}`, options);
    this.code = code;
    this.url = shown;
    this.status = options?.status;
  }
}

/** A URL as it may be shown: query, fragment and user often are credentials. */
export function publicUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
