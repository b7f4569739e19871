import { BootError } from '#boot/boot-error.ts';
import { type FailureCode, OtaFailure } from '#domain/failure.ts';
import { ImageError, type ImageErrorCode } from '#image/image-error.ts';
import { NetError, type NetErrorCode } from '#net/net-error.ts';

const netFailures: Readonly<Record<NetErrorCode, FailureCode>> = {
  unauthorized: 'cookies_rejected',
  forbidden: 'cookies_rejected',
  not_found: 'image_invalid',
  too_large: 'image_invalid',
  no_space: 'standby_slot_full',
  no_progress: 'network',
  attempts_exhausted: 'network',
  bad_url: 'image_invalid',
  redirect_refused: 'network',
  protocol: 'network',
  entity_changed: 'network',
  part_failed: 'placing',
  closed: 'network',
};

/** Who signed it is not trusted, as opposed to what it says. */
const untrusted: ReadonlySet<ImageErrorCode> = new Set<ImageErrorCode>([
  'jwt_algorithm_refused',
  'jwt_signature_invalid',
  'certificate_malformed',
  'certificate_digest_mismatch',
  'certificate_expired',
  'certificate_not_yet_valid',
  'certificate_not_trusted',
  'certificate_key_refused',
  'trust_store_empty',
]);

/** Which of the failures in the closed table an error of a step is. `fallback` is the step's own kind of failure. */
export function failureOf(error: unknown, fallback: FailureCode): OtaFailure {
  if (error instanceof OtaFailure) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new OtaFailure(codeOf(error, fallback), detail, { cause: error });
}

function codeOf(error: unknown, fallback: FailureCode): FailureCode {
  if (error instanceof NetError) {
    // A broken connection while the description is read is not yet a failed download of files.
    const code = netFailures[error.code];
    return code === 'network' && fallback === 'metadata_download' ? fallback : code;
  }
  if (error instanceof ImageError) {
    if (untrusted.has(error.code)) return 'image_untrusted';
    return error.code === 'metadata_digest_mismatch' ? 'image_invalid' : 'image_refused';
  }
  if (error instanceof BootError) return error.code === 'release_refused' ? 'release_unsuitable' : fallback;
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'standby_slot_full';
  return fallback;
}
