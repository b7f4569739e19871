/** Why an image is refused. Closed: each kind of attack or defect has its own code. */
export type ImageErrorCode =
  // the signed description
  | 'jwt_malformed'
  | 'jwt_algorithm_refused'
  | 'jwt_signature_invalid'
  | 'claims_invalid'
  | 'version_unsupported'
  | 'file_name_refused'
  // the certificate
  | 'certificate_malformed'
  | 'certificate_digest_mismatch'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_not_trusted'
  | 'certificate_key_refused'
  | 'trust_store_empty'
  // the metadata files
  | 'metadata_digest_mismatch'
  | 'metadata_too_large'
  | 'metadata_malformed'
  | 'path_not_absolute'
  | 'path_traversal'
  | 'path_duplicated'
  | 'path_below_non_directory'
  | 'path_refused'
  | 'hard_link_group_invalid'
  | 'too_many_entries'
  // building an image
  | 'source_unreadable'
  | 'source_not_representable'
  | 'options_invalid';

/** An image, its description or its signature is refused. The message names the file, the line and the mend. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
