import { Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import { signal } from '@preact/signals';
import { problemOf } from '#dashboard/page/words/problems.ts';
import { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import { Role } from '#gen/ota/console/v1/types_pb.ts';

/** Whether somebody is signed in. */
export type Session =
  | { readonly kind: 'checking' }
  /** The vehicle cannot be reached, so that nobody knows yet. */
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'out'; readonly problem: string | undefined; readonly busy: boolean }
  | { readonly kind: 'in'; readonly name: string; readonly isOperator: boolean };

export const session = signal<Session>({ kind: 'checking' });

const storageKey = 'ota.token';
let token = takeFromAddress() ?? stored();

const withToken: Interceptor = (next) => (request) => {
  if (token !== undefined) request.header.set('authorization', `Bearer ${token}`);
  return next(request);
};

export const client = createClient(
  ConsoleService,
  createConnectTransport({
    baseUrl: new URL('.', location.href).href.replace(/\/$/, ''),
    useBinaryFormat: true,
    interceptors: [withToken],
  }),
);

/** Asks who the caller is: by what was given, a token that is kept, or a client certificate. */
export async function signIn(given?: string): Promise<void> {
  if (given !== undefined) {
    token = given.trim();
    session.value = { kind: 'out', problem: undefined, busy: true };
  }
  try {
    const { name, role } = await client.getCaller({}, { timeoutMs: 15_000 });
    if (token !== undefined) store(token);
    session.value = { kind: 'in', name, isOperator: role === Role.OPERATOR };
  } catch (error) {
    const { code } = ConnectError.from(error);
    if (code === Code.Unauthenticated || code === Code.PermissionDenied || code === Code.ResourceExhausted) {
      const hadToken = token !== undefined;
      if (code !== Code.ResourceExhausted) forget();
      session.value = { kind: 'out', problem: hadToken ? problemOf(error) : undefined, busy: false };
    } else if (given !== undefined) {
      session.value = { kind: 'out', problem: problemOf(error), busy: false };
    } else session.value = { kind: 'unreachable', why: problemOf(error) };
  }
}

/** A link that is opened in a tab that shows this page already changes the fragment only. */
addEventListener('hashchange', () => {
  const given = takeFromAddress();
  if (given !== undefined) void signIn(given);
});

/** Forgets who it was. `problem` says why, when nobody asked for it. */
export function signOut(problem?: string): void {
  forget();
  session.value = { kind: 'out', problem, busy: false };
}

/** `#token=…`: taken, and removed from the address before anything else can see it. */
function takeFromAddress(): string | undefined {
  const given = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (given === undefined) return undefined;
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(storageKey) ?? undefined;
  } catch {
    return undefined;
  }
}

function store(value: string): void {
  try {
    sessionStorage.setItem(storageKey, value);
  } catch {
    // It lasts as long as the page then.
  }
}

function forget(): void {
  token = undefined;
  try {
    sessionStorage.removeItem(storageKey);
  } catch {
    // Nothing was kept.
  }
}
