/** Content-Range of RFC 9110 14.4. */
export interface ContentRange {
  /** First and last byte; undefined in an unsatisfied range, which only tells the total. */
  readonly bytes: { readonly first: number; readonly last: number } | undefined;
  /** Undefined when the server does not know it. */
  readonly total: number | undefined;
}

const pattern = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(?:(\d{1,15})|\*)$/i;

/** Undefined when absent, malformed or contradicting itself. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = value === undefined ? null : pattern.exec(value.trim());
  if (match === null) return undefined;
  const total = match[3] === undefined ? undefined : Number(match[3]);
  if (match[1] === undefined) return { bytes: undefined, total };
  const [first, last] = [Number(match[1]), Number(match[2])];
  if (last < first || (total !== undefined && last >= total)) return undefined;
  return { bytes: { first, last }, total };
}

/** What tells one version of a resource from another. */
export interface Validator {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** Whether two answers certainly are about different versions. Unknown is not different. */
export function differs(a: Validator, b: Validator): boolean {
  if (a.etag !== undefined && b.etag !== undefined) return a.etag !== b.etag;
  return a.lastModified !== undefined && b.lastModified !== undefined && a.lastModified !== b.lastModified;
}

/** RFC 9110 8.8.1 and 13.1.5: only a strong validator may guard a range. */
export function strongEtag(validator: Validator | undefined): string | undefined {
  const etag = validator?.etag;
  return etag?.startsWith('"') ? etag : undefined;
}
