/** One word, so that a text that was cleaned before stays as it is. */
const gone = '(redacted)';

/** Names of values that are secrets wherever they stand. */
const secretName =
  '[\\w-]{0,40}(?:cookies?|set-cookie|authorization|proxy-authorization|x-api-key|api[_-]?key|access[_-]?key|private[_-]?key|' +
  '(?:access|auth|id|refresh|bearer|session|csrf)?[_-]?token|pass(?:word|wd|phrase)?|pwd|secret|credentials?|' +
  'signature|cloudfront-(?:policy|signature|key-pair-id))';

/** Each with what takes its place. None can take more than linear time: what they repeat ends at a fixed character. */
const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, gone],
  // JSON, also when it was quoted into another JSON text.
  [
    new RegExp(
      `(\\\\?"${secretName}\\\\?"\\s*:\\s*)(?:\\{[^}]{0,20000}\\}|"(?:[^"\\\\]|\\\\.){0,20000}"|\\\\"[^"\\\\]{0,20000}\\\\"|[^\\s,}]+)`,
      'gi',
    ),
    `$1"${gone}"`,
  ],
  // Headers take the rest of their line.
  [/\b((?:set-)?cookie|(?:proxy-)?authorization)(\s*[:=]\s*)[^\r\n]*/gi, `$1$2${gone}`],
  [new RegExp(`\\b(${secretName})(\\s*[=:]\\s*)(?:"[^"]*"|'[^']*'|[^\\s,;&"']+)`, 'gi'), `$1$2${gone}`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}/g, `$1 ${gone}`],
  // JSON Web Tokens: RFC 7519 over RFC 7515, whose header begins with {" in base64url.
  [/\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?/g, gone],
  [/\b([a-z][a-z0-9+.-]{1,15}:\/\/)[^\s/@"'<>]+@/gi, `$1${gone}@`],
  [/\b([a-z][a-z0-9+.-]{1,15}:\/\/[^\s?#"'<>]*)[?#][^\s"'<>]+/gi, `$1?${gone}`],
];

/**
 * Takes out of a text what may be a secret: cookies, credentials, tokens, keys, and of URLs the user and the query. For
 * text of others, such as logs and the output of probes; our own never holds one.
 */
export function redacted(text: string): string {
  return rules.reduce((rest, [secret, instead]) => rest.replace(secret, instead), text);
}
