import { returnCauses } from '#update/black-box/record.ts';
import { readBlackBoxes } from '#update/black-box/store.ts';
import { isSameRelease, Quarantine } from '#update/quarantine.ts';
import type { CliIo, Command } from './command.ts';
import { exitCodes, parseCommandLine, UsageError } from './command.ts';
import { openOwnSlots, ownSlotsOptions, ownSlotsUsage } from './own-slots.ts';
import type { JudgedBox } from './render-blackbox.ts';
import { renderBlackBox, renderBlackBoxes } from './render-blackbox.ts';
import { styleOf } from './render-style.ts';
import { harmless } from './render-text.ts';

const usage = `Usage: ota blackbox [options]
       ota blackbox show [ID] [options]

Lists every time that this ECU came back from a release by itself, or could not roll back; "show" tells one of them, the
last one without ID: why, the failing probe and what it said, what happened when, and the ends of the logs. Changes
nothing.

Options:
${ownSlotsUsage}
  --json            One JSON object instead of text
  -h, --help        Show this help

Without these options it looks for the files where the daemon does, see docs/operations.md.

Exit codes: 0 shown, 1 failed or there is no such black box, 2 called wrongly.

Examples:
  ota blackbox
  ota blackbox show 20261122-223501-9f3a
`;

const options = { ...ownSlotsOptions, json: { type: 'boolean' } } as const;

async function run(args: readonly string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseCommandLine(args, options);
  const [verb, id, ...more] = positionals;
  if (verb !== undefined && verb !== 'show')
    throw new UsageError(`"${verb}" is not expected here; try "show"`);
  if (more.length > 0) throw new UsageError(`"${more[0]}" is not expected here`);
  await using stack = new AsyncDisposableStack();
  const slots = await openOwnSlots(values, io, stack);
  const { boxes, unreadable } = await slots.withArchive('current', 'read', readBlackBoxes);
  const { releases, problem } = await new Quarantine(slots).list();
  const judged = boxes.map((box): JudgedBox => {
    const { version, image_digest: imageDigest } = box.left;
    return { box, quarantined: releases.some((one) => isSameRelease(one, { version, imageDigest })) };
  });
  for (const name of unreadable) {
    io.stderr.write(`ota blackbox: ${harmless(name)} is damaged or of another version of this program\n`);
  }
  if (problem !== undefined) io.stderr.write(`ota blackbox: ${problem}\n`);
  return verb === undefined
    ? list(judged, values.json === true, io)
    : show(judged, id, values.json === true, io);
}

function list(boxes: readonly JudgedBox[], json: boolean, io: CliIo): number {
  if (json) {
    io.stdout.write(`${JSON.stringify({ type: 'blackboxes', boxes: boxes.map(summaryOf) })}\n`);
  } else if (boxes.length === 0) {
    io.stdout.write('no black boxes: this ECU has not come back from a release by itself\n');
  } else {
    io.stdout.write(`${renderBlackBoxes(boxes, styleOf(io, io.env)).join('\n')}\n`);
  }
  return exitCodes.ok;
}

function show(boxes: readonly JudgedBox[], id: string | undefined, json: boolean, io: CliIo): number {
  const found = id === undefined ? boxes.at(-1) : boxes.find(({ box }) => box.id === id);
  if (found === undefined) {
    const what = id === undefined ? 'there are no black boxes' : `there is no black box "${harmless(id)}"`;
    io.stderr.write(`ota blackbox: ${what}; "ota blackbox" lists them\n`);
    return exitCodes.failed;
  }
  if (json) io.stdout.write(`${JSON.stringify(detailOf(found))}\n`);
  else io.stdout.write(`${renderBlackBox(found, styleOf(io, io.env)).join('\n')}\n`);
  return exitCodes.ok;
}

function summaryOf({ box, quarantined }: JudgedBox) {
  const { id, at, switch: of, cause, detail, left, back_in, boots } = box;
  const why = returnCauses[cause];
  return { id, at: time(at), switch: of, cause, why, detail, left, back_in, boots, quarantined };
}

function detailOf({ box, quarantined }: JudgedBox) {
  const { format: _, at, timeline, ...rest } = box;
  const points = timeline.map((point) => ({ ...point, at: time(point.at) }));
  return {
    type: 'blackbox',
    ...rest,
    at: time(at),
    why: returnCauses[box.cause],
    quarantined,
    timeline: points,
  };
}

function time(at: number): string {
  return new Date(at).toISOString();
}

export const blackboxCommand: Command = {
  name: 'blackbox',
  summary: 'Tell why this ECU came back from releases',
  usage,
  options,
  words: ['show'],
  run,
};
