import { OtaFailure } from '#domain/failure.ts';
import type { ReleaseDetail, ReleaseRequest, UpdateRequestEntry } from '#domain/release.ts';

const maxUrlLength = 2048;
/** A version is stored in a status file of which existing tools read 2048 bytes. */
const maxVersionBytes = 1024;
const maxDetailLength = 1024;
const maxCookies = 64;
/** All cookies go into one request header; servers commonly end at 8 or 16 KiB. */
const maxCookieBytes = 16 * 1024;

/** Control characters, lone surrogates and line separators: nothing that a file name, log or terminal could carry. */
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
/** RFC 6265 section 4.1.1: a cookie's name is a token. */
const cookieName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Wider than RFC 6265, because servers are; but nothing that could end the cookie or the header. */
const cookieValue = /^[\x20-\x3a\x3c-\x7e]*$/;

/**
 * Checks one entry of an Update request before it is acknowledged. The answer is the request, or the failure
 * `request_invalid`, which names the field and never quotes cookies.
 */
export function validateUpdateRequest(
  entry: UpdateRequestEntry,
  requestId: string,
): ReleaseRequest | OtaFailure {
  try {
    return {
      version: checkedVersion(entry.version),
      url: checkedUrl(entry.url),
      cookies: checkedCookies(entry.cookies),
      detail: checkedDetail(entry),
      requestId,
      force: entry.force === true,
    };
  } catch (error) {
    if (error instanceof OtaFailure) return error;
    throw error;
  }
}

function refused(what: string): OtaFailure {
  return new OtaFailure('request_invalid', what);
}

function checkedVersion(version: string): string {
  if (version.trim() === '') throw refused('version is empty');
  if (Buffer.byteLength(version) > maxVersionBytes) {
    throw refused(`version is longer than ${maxVersionBytes} bytes`);
  }
  if (unprintable.test(version)) throw refused('version holds control characters');
  return version;
}

function checkedUrl(text: string): URL {
  if (text === '') throw refused('url is empty');
  if (text.length > maxUrlLength) throw refused(`url is longer than ${maxUrlLength} characters`);
  // The URL parser would drop these silently.
  if (unprintable.test(text) || /\s/.test(text)) throw refused('url holds white space or control characters');
  const url = URL.parse(text);
  if (url === null) throw refused('url is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused('url is neither http nor https');
  if (url.username !== '' || url.password !== '') {
    throw refused('url holds a user or password; send credentials as cookies');
  }
  if (url.hash !== '' || url.search !== '' || /[?#]/.test(text)) {
    throw refused('url has a query or fragment, which names of files cannot be appended to');
  }
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

function checkedCookies(text: string): ReadonlyMap<string, string> {
  if (text.trim() === '') return new Map();
  if (Buffer.byteLength(text) > maxCookieBytes)
    throw refused(`cookies are larger than ${maxCookieBytes} bytes`);
  const object = parsedCookies(text);
  const cookies = new Map<string, string>();
  for (const [name, value] of Object.entries(object)) {
    if (!cookieName.test(name)) throw refused('a name in cookies is not a cookie name');
    if (typeof value !== 'string') throw refused('a value in cookies is not a text');
    if (!cookieValue.test(value)) {
      throw refused('a value in cookies holds a semicolon, control or non-ASCII characters');
    }
    cookies.set(name, value);
  }
  if (cookies.size > maxCookies) throw refused(`there are more than ${maxCookies} cookies`);
  return cookies;
}

/** JSON.parse quotes its input in errors: its error must not become a cause. */
function parsedCookies(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('cookies are not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused('cookies are not a JSON object');
  }
  return value;
}

/** Kept only when all three are given, as existing clients do. */
function checkedDetail(entry: UpdateRequestEntry): ReleaseDetail | undefined {
  const { releaseName, releaseId, imageId } = entry;
  for (const value of [releaseName, releaseId, imageId]) {
    if (value.length > maxDetailLength) {
      throw refused(`release_name, release_id or image_id is longer than ${maxDetailLength} characters`);
    }
  }
  if (releaseName === '' || releaseId === '' || imageId === '') return undefined;
  return { releaseName, releaseId, imageId };
}
