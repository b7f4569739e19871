import { randomBytes } from 'node:crypto';
import type { SlotContents, Slots, SwitchKind } from '#boot/slots.ts';
import type { TrialEnd } from '#domain/trial-end.ts';
import type { ResetPlaces } from '#host/last-reset.ts';
import { listCrashRecords, watchdogsThatReset } from '#host/last-reset.ts';
import type { GuardNote } from '#update/health/guard-note.ts';
import { readGuardNote } from '#update/health/guard-note.ts';
import { readTrialNotes } from '#update/health/trial-notes.ts';
import type { JournalEntry } from '#update/journal.ts';
import type { TimelinePoint } from '#update/timeline.ts';
import { deduceCause } from './deduce.ts';
import type { Findings } from './evidence.ts';
import { crashRecords, logOfThisBoot, nothing, searched } from './evidence.ts';
import type { FailedSlot } from './failed-slot.ts';
import { failedSlot } from './failed-slot.ts';
import { readFirstBoot } from './first-boot-timeline.ts';
import type { BlackBox, BlackBoxPoint } from './record.ts';
import { newBlackBoxId, readBlackBoxes } from './store.ts';

/** What the release that gives itself up can tell. `signal` ends the search for evidence, not the rest. */
export async function composeFromNew(slots: Slots, end: TrialEnd, signal: AbortSignal): Promise<BlackBox> {
  const verdict = await slots.judge();
  const left = releaseOf(await slots.current());
  const { trial, timeline } = await slots.withArchive('current', 'read', async (archive) => ({
    trial: await readTrialNotes(archive),
    timeline: await readFirstBoot(archive),
  }));
  const boxes = (await slots.withArchive('standby', 'read', readBlackBoxes)).boxes;
  const at = Date.now();
  return {
    format: 1,
    id: unfinished(boxes, left)?.id ?? newId(at, boxes),
    at,
    complete: false,
    switch: verdict.kind === 'ordinary' ? 'update' : verdict.of,
    cause: end.cause,
    detail: end.detail,
    probe: end.probe ?? null,
    left,
    back_in: releaseOf(await slots.standby()),
    boots: trial?.boots ?? null,
    session_id: null,
    timeline: timeline.map(pointBy('new')),
    ...(await searched(() => logOfThisBoot(slots.activeRoot, signal))),
  };
}

export interface ReturnFacts {
  readonly slots: Slots;
  readonly resetPlaces: ResetPlaces;
  /** What is kept already. */
  readonly boxes: readonly BlackBox[];
  readonly of: SwitchKind;
  /** The job that led to the switch, as the old release knows it. */
  readonly entry: JournalEntry | undefined;
}

/** The whole black box, by the release that runs again. `signal` ends the search for evidence, not the rest. */
export async function composeFromOld(facts: ReturnFacts, signal: AbortSignal): Promise<BlackBox> {
  const { slots, resetPlaces, of, entry, boxes } = facts;
  const standby = releaseOf(await slots.standby());
  const left = {
    ...standby,
    version: standby.version || (entry?.version ?? ''),
    image_digest: standby.image_digest || (entry?.imageDigest ?? ''),
  };
  const mine = unfinished(boxes, left);
  const { trial, timeline, guard } = await tracesOf(slots);
  const known = entry?.crashRecords ?? trial?.crashRecords;
  const crashes = known === undefined ? [] : await crashRecordsSince(known, resetPlaces);
  const since = entry?.timeline.findLast(({ step }) => step === 'activate' || step === 'roll_back')?.at;
  const slot = await failedSlot(slots, { since, known: trial?.crashRecords ?? [], signal });
  const newCrashRecords = [...slot.crashRecords, ...crashes];
  const end = mine ?? trial?.end ?? guard;
  const watchdogs = await watchdogsThatReset(resetPlaces);
  const steps = timeline.map(({ step }) => step);
  const boots = trial?.boots ?? mine?.boots;
  const at = Date.now();
  return {
    format: 1,
    id: mine?.id ?? newId(at, boxes),
    at,
    complete: true,
    switch: of,
    probe: end?.probe ?? null,
    ...deduceCause({ end, newCrashRecords, watchdogs, boots: boots ?? undefined, steps }),
    left,
    back_in: releaseOf(await slots.current()),
    boots: boots ?? null,
    session_id: entry?.sessionId ?? null,
    timeline: merged(entry, mine, timeline, at),
    ...together([
      mine ?? (await logOfReturn(slots, slot, since, signal)),
      guardLog(guard),
      slot.lastWords,
      await searched(() => crashRecords(crashes, signal)),
    ]),
  };
}

/** What the new release and the guard beside it left; each may be out of reach. */
async function tracesOf(slots: Slots) {
  const guard = await slots.withArchive('current', 'read', readGuardNote);
  const none = { trial: undefined, timeline: [], guard: undefined };
  const theirs = await slots
    .withArchive('standby', 'read', async (archive) => ({
      trial: await readTrialNotes(archive),
      timeline: await readFirstBoot(archive),
      guard: await readGuardNote(archive),
    }))
    .catch(() => none);
  return { ...theirs, guard: guard ?? theirs.guard };
}

async function crashRecordsSince(known: readonly string[], places: ResetPlaces): Promise<string[]> {
  return (await listCrashRecords(places)).filter((record) => !known.includes(record));
}

/** The log of the boot that ended in the return, wherever this kind of slots has it. */
async function logOfReturn(
  slots: Slots,
  { log }: FailedSlot,
  since: number | undefined,
  signal: AbortSignal,
): Promise<Findings> {
  // There a boot is a start of the daemon, and both releases write into the log of the system around them.
  if (slots.bootloader !== 'directory') return log;
  return searched(() => logOfThisBoot(slots.activeRoot, signal, since));
}

function guardLog(guard: GuardNote | undefined): Findings {
  if (guard === undefined || guard.journal.trim() === '') return nothing;
  return { evidence: [{ source: 'log kept by the guard', text: guard.journal }], missing: [] };
}

function together(all: readonly Findings[]): Findings {
  return {
    evidence: all.flatMap(({ evidence }) => evidence),
    missing: all.flatMap(({ missing }) => missing),
  };
}

/** In the order in which things happened. Times of two releases do not decide: their clocks may differ. */
function merged(
  entry: JournalEntry | undefined,
  mine: BlackBox | undefined,
  told: readonly TimelinePoint[],
  at: number,
): BlackBoxPoint[] {
  const news = told.length > 0 ? told.map(pointBy('new')) : (mine?.timeline ?? []);
  const journal = entry?.timeline ?? [];
  // Where both releases share a journal, the new one went on in it.
  const firstBoot = journal.findIndex(({ step }) => step === 'first_boot');
  const olds = firstBoot === -1 ? journal : journal.slice(0, firstBoot);
  const more = firstBoot === -1 ? [] : journal.slice(firstBoot).filter(({ step }) => step !== 'first_boot');
  return [
    ...olds.map(pointBy('old')),
    ...[...news, ...more.map(pointBy('new'))].toSorted((one, other) => one.at - other.at),
    { by: 'old', step: 'came_back', at },
  ];
}

function pointBy(by: BlackBoxPoint['by']): (point: TimelinePoint) => BlackBoxPoint {
  return ({ step, at }) => ({ by, step, at });
}

/** What the release wrote about itself, when the other one has not completed it yet. */
function unfinished(boxes: readonly BlackBox[], left: BlackBox['left']): BlackBox | undefined {
  return boxes.findLast(
    (box) =>
      !box.complete && box.left.version === left.version && box.left.image_digest === left.image_digest,
  );
}

function releaseOf({ id, version, imageDigest }: SlotContents): BlackBox['left'] {
  return { slot: id, version, image_digest: imageDigest };
}

function newId(at: number, boxes: readonly BlackBox[]): string {
  return newBlackBoxId(at, randomBytes(2).toString('hex'), boxes);
}
