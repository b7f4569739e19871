import type { RequestRate } from '#ecu/request-rate.ts';
import type { StatusStore } from '#ecu/status-store.ts';
import type { Access } from './access.ts';
import type { PlainRoute } from './console-app.ts';
import { sendText } from './exchange.ts';
import type { MetricsParts } from './metrics.ts';

export interface PlainParts extends MetricsParts {
  readonly store: StatusStore;
  readonly access: Access;
  readonly rate: RequestRate;
}

/** What supervisors and scrapers ask. Only `/metrics` tells anything of the vehicle, and needs credentials. */
export function plainRoutes(parts: PlainParts): ReadonlyMap<string, PlainRoute> {
  const { store } = parts;
  const metrics = scraped(parts);
  return new Map<string, PlainRoute>([
    ['/healthz', (_request, response) => sendText(response, 200, 'ok\n')],
    [
      '/readyz',
      (_request, response) => {
        if (store.report() === undefined) return sendText(response, 503, 'the own status is not known yet\n');
        if (!store.wasEveryChildPolled()) return sendText(response, 503, 'not every child was polled yet\n');
        sendText(response, 200, 'ready\n');
      },
    ],
    ['/metrics', metrics],
  ]);
}

/** The library is loaded at the first scrape: most ECUs are never scraped. */
function scraped(parts: PlainParts): PlainRoute {
  let loaded: Promise<{ readonly contentType: string; text(): Promise<string> }> | undefined;
  return async (_request, response, credentials) => {
    const admission = await parts.access.admit(credentials);
    if (admission.kind !== 'admitted') {
      const challenge = { 'www-authenticate': 'Bearer realm="ota console"' };
      if (admission.kind === 'blocked') return sendText(response, 429, 'too many failed attempts\n');
      return sendText(response, 401, 'a token of any role is needed\n', challenge);
    }
    if (!parts.rate.take(admission.identity.name)) return sendText(response, 429, 'too many requests\n');
    loaded ??= import('./metrics.ts').then(({ Metrics }) => new Metrics(parts));
    const { contentType, text } = await loaded.then((all) => ({
      contentType: all.contentType,
      text: all.text(),
    }));
    sendText(response, 200, await text, { 'content-type': contentType });
  };
}
