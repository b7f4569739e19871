import type { VehicleEvent } from '#api/vehicle-event.ts';
import type { Paint, Style } from './render-style.ts';
import { paint } from './render-style.ts';
import { displayWidth, harmless, padEnd, truncate, wrap } from './render-text.ts';

const kindPaints: Readonly<Record<VehicleEvent['kind'], Paint | undefined>> = {
  request: 'cyan',
  state: undefined,
  reachability: 'yellow',
  daemon: 'dim',
  denied: 'red',
  other: undefined,
};

const widestEcu = 24;
const widestKind = 'reachability'.length;

/** The time of an event for a program: RFC 3339 in UTC. */
function exactTime(at: number): string | null {
  return at === 0 ? null : new Date(at).toISOString();
}

/** Time of day for people who watch; with the day when it is another one than that of `now`. */
function eventTime(at: number, now: number): string {
  if (at === 0) return '-';
  const text = new Date(at).toISOString();
  return new Date(now).toISOString().startsWith(text.slice(0, 10))
    ? `${text.slice(11, 19)}Z`
    : `${text.slice(0, 10)} ${text.slice(11, 19)}Z`;
}

/** Events as lines for people: one each in a pipe, wrapped under themselves on a terminal, or cut to one line each. */
export function eventLines(
  events: readonly VehicleEvent[],
  now: number,
  style: Style,
  isCut = false,
): string[] {
  const onTerminal = Number.isFinite(style.columns);
  const time = (at: number): string => (onTerminal ? eventTime(at, now) : (exactTime(at) ?? '-'));
  const width = (texts: readonly string[], most: number): number =>
    Math.min(most, Math.max(0, ...texts.map(displayWidth)));
  const timeWidth = width(
    events.map(({ at }) => time(at)),
    32,
  );
  const ecuWidth = width(
    events.map(({ ecuId }) => harmless(ecuId) || '-'),
    widestEcu,
  );
  const kindWidth = width(
    events.map(({ kind }) => kind),
    widestKind,
  );
  const ellipsis = style.unicode ? '…' : '~';
  return events.flatMap((event) => {
    const ecu = truncate(harmless(event.ecuId) || '-', ecuWidth, ellipsis);
    const by = event.caller === '' ? '' : ` (by ${harmless(event.caller)})`;
    const text = `${harmless(event.text)}${by}`;
    const head = [
      paint(style, 'dim', padEnd(time(event.at), timeWidth)),
      paint(style, 'bold', padEnd(ecu, ecuWidth)),
      padEnd(event.kind, kindWidth),
    ].join('  ');
    const indent = timeWidth + ecuWidth + kindWidth + 6;
    const how = kindPaints[event.kind];
    const painted = (line: string): string => (how === undefined ? line : paint(style, how, line));
    // A column for the text that is narrower than this can only be read below its event.
    if (isCut) {
      const room = style.columns - indent;
      if (room < 16) return [painted(truncate(`${time(event.at)} ${ecu} ${text}`, style.columns, ellipsis))];
      return [`${head}  ${painted(truncate(text, room, ellipsis))}`];
    }
    if (style.columns - indent < 24) {
      return [
        truncate(`${time(event.at)} ${ecu} ${event.kind}`, style.columns, ellipsis),
        ...wrap(text, Math.max(8, style.columns - 2)).map((line) => `  ${painted(line)}`),
      ];
    }
    return wrap(text, style.columns - indent).map((line, index) =>
      index === 0 ? `${head}  ${painted(line)}` : `${' '.repeat(indent)}${painted(line)}`,
    );
  });
}

/** The stable JSON of an event, documented in docs/cli.md. */
export function eventJson(event: VehicleEvent): object {
  return {
    type: 'event',
    sequence: Number(event.sequence),
    time: exactTime(event.at),
    kind: event.kind,
    ecu_id: event.ecuId === '' ? null : event.ecuId,
    caller: event.caller === '' ? null : event.caller,
    text: event.text,
    details: event.details,
  };
}
