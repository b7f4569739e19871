import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { ConsoleServerError } from '#api/console/console-server-error.ts';
import { readTls } from '#api/console/console-tls.ts';
import type { ConfigProblem } from '#config/config-error.ts';
import { readConsoleTokens } from '#config/console-tokens.ts';
import type { LoadedConfig } from '#config/load.ts';
import { authority } from '#domain/ecu.ts';

export type ConsoleProblem = Omit<ConfigProblem, 'code'> & {
  readonly code: ConfigProblem['code'] | 'console_unusable';
};

/** The first request makes a console load what answers it: seconds on a slow machine. */
const answerMs = 20_000;

/** Why people would not be served, or not let in, on this machine. Updates do not need it. Never throws. */
export async function consoleProblems({
  options,
  files,
  listen,
}: LoadedConfig): Promise<readonly ConsoleProblem[]> {
  const { console } = options;
  if (!console.enabled) return [];
  const file = files.options ?? 'ota.yml';
  const at = (key: string, what: string, mend: string): ConsoleProblem => {
    return { code: 'console_unusable', file, line: undefined, column: undefined, key, what, mend };
  };
  const problems: ConsoleProblem[] = [];
  if (console.tokensFile !== undefined)
    problems.push(...(await readConsoleTokens(console.tokensFile)).problems);
  let secure = false;
  try {
    secure = (await readTls(console)) !== undefined;
  } catch (error) {
    if (!(error instanceof ConsoleServerError)) throw error;
    problems.push(at('console', 'cannot be served', error.message));
  }
  if (
    console.port === listen.port &&
    (console.host === listen.host || isAny(console.host) || isAny(listen.host))
  ) {
    problems.push(
      at('console.port', `is ${console.port}, which is that of the ECU itself`, 'set another one'),
    );
    return problems;
  }
  const code = await whyNotBound(console);
  if (code === 'EADDRINUSE' && !(await isConsole(console, secure))) {
    const what = `cannot be listened on: ${authority(console)} is in use by another program`;
    problems.push(at('console.port', what, 'set another console.port, or end that program'));
  } else if (code !== undefined && code !== 'EADDRINUSE') {
    problems.push(
      at(
        'console.host',
        `cannot be listened on: ${authority(console)} (${code})`,
        'correct console.host and console.port',
      ),
    );
  }
  return problems;
}

type Place = { readonly host: string; readonly port: number };

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The system's word for it; undefined when it can be listened on. */
async function whyNotBound({ host, port }: Place): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'));
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  return promise;
}

/** Whether what listens there is a console: the daemon of this ECU may run. */
async function isConsole({ host, port }: Place, secure: boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const where = { host: isAny(host) ? 'localhost' : host, port, path: '/healthz', timeout: answerMs };
  const request = secure ? httpsRequest({ ...where, rejectUnauthorized: false }) : httpRequest(where);
  request.on('response', (response) => {
    const isOurs = response.statusCode === 200 && response.headers['referrer-policy'] === 'no-referrer';
    response.resume();
    resolve(isOurs);
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => resolve(false));
  request.end();
  return promise;
}
