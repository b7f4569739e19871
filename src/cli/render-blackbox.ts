import type { BlackBox, BlackBoxPoint } from '#update/black-box/record.ts';
import { returnCauses } from '#update/black-box/record.ts';
import { journalSteps } from '#update/journal.ts';
import type { Paint, Style } from './render-style.ts';
import { ellipsisOf, paint } from './render-style.ts';
import { table } from './render-table.ts';
import { harmless, wrap } from './render-text.ts';

/** A black box, and whether its release is refused now. */
export interface JudgedBox {
  readonly box: BlackBox;
  readonly quarantined: boolean;
}

/** Points that no journal has. */
const otherSteps: Readonly<Record<string, string>> = {
  giving_up: 'giving itself up',
  rebooting: 'told to end: the machine reboots',
  powering_off: 'told to end: the machine is switched off',
  came_back: 'running again',
};

const nameWidth = 13;

const steps: Readonly<Record<string, string>> = { ...journalSteps, ...otherSteps };

/** One line for each, oldest first. */
export function renderBlackBoxes(boxes: readonly JudgedBox[], style: Style): string[] {
  const columns = [
    { title: 'ID' },
    { title: 'WHEN' },
    { title: 'RELEASE', maxWidth: 32 },
    { title: 'SLOT' },
    { title: 'NOW' },
    { title: 'CAUSE' },
  ];
  const rows = boxes.map(({ box, quarantined }) => [
    { text: box.id, painted: (text: string) => paint(style, 'bold', text) },
    { text: shortTime(box.at) },
    { text: harmless(box.left.version) || '-' },
    { text: box.left.slot },
    {
      text: quarantined ? 'quarantined' : 'allowed',
      painted: (text: string) => (quarantined ? paint(style, 'yellow', text) : text),
    },
    { text: returnCauses[box.cause] },
  ]);
  return table(columns, rows, {
    ellipsis: ellipsisOf(style),
    paintTitle: (text) => paint(style, 'dim', text),
  });
}

/** Everything that one holds, for people. */
export function renderBlackBox({ box, quarantined }: JudgedBox, style: Style): string[] {
  const { left, back_in: back, probe } = box;
  const job = box.switch === 'update' ? 'an update' : 'a rollback';
  const fact = (name: string, text: string, how?: Paint): string[] =>
    wrap(text, Math.max(20, style.columns - nameWidth)).map((line, index) => {
      const title = index === 0 ? paint(style, 'dim', name.padEnd(nameWidth)) : ' '.repeat(nameWidth);
      return title + (how === undefined ? line : paint(style, how, line));
    });
  return [
    paint(style, 'bold', `Black box ${box.id}`),
    ...fact('when', new Date(box.at).toISOString()),
    ...fact('left', `${releaseText(left)}, booted by ${job}`),
    ...fact('back in', releaseText(back)),
    ...fact('because', returnCauses[box.cause], 'red'),
    ...(box.detail === '' ? [] : fact('', harmless(box.detail))),
    ...(box.boots === null ? [] : fact('boots of it', String(box.boots))),
    ...fact('now', quarantined ? 'quarantined: refused until it is forced' : 'allowed'),
    ...(box.complete ? [] : fact('incomplete', 'the release that runs again has not added what it knows')),
    ...(probe === null
      ? []
      : [
          '',
          paint(style, 'bold', 'Failing probe'),
          ...fact('name', harmless(probe.name)),
          ...fact('kind', harmless(probe.kind)),
          ...fact('target', harmless(probe.target)),
          ...fact('how', harmless(probe.how)),
          ...(probe.output.trim() === '' ? [] : [paint(style, 'dim', 'output'), ...textLines(probe.output)]),
        ]),
    '',
    paint(style, 'bold', 'Timeline'),
    ...box.timeline.map(pointLine),
    ...box.evidence.flatMap(({ source, text }) => [
      '',
      paint(style, 'bold', headline(harmless(source))),
      ...textLines(text),
    ]),
    ...(box.missing.length === 0
      ? []
      : ['', paint(style, 'bold', 'Not found'), ...box.missing.map((line) => `  ${harmless(line)}`)]),
  ];
}

function releaseText(release: JudgedBox['box']['left']): string {
  const version =
    release.version === '' ? 'release without a version' : `version ${harmless(release.version)}`;
  const image = release.image_digest === '' ? '' : ` (image ${harmless(release.image_digest)})`;
  return `${version}${image} in ${release.slot}`;
}

function pointLine({ by, step, at }: BlackBoxPoint): string {
  return `  ${new Date(at).toISOString()}  ${by} release  ${steps[step] ?? harmless(step)}`;
}

function textLines(text: string): string[] {
  const lines = harmless(text, true).replace(/\n+$/, '').split('\n');
  return lines.map((line) => `  ${line}`);
}

function headline(source: string): string {
  return source.charAt(0).toUpperCase() + source.slice(1);
}

function shortTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
