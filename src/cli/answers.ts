import type { EcuAnswer } from '#ecu/ecu.ts';
import type { CliIo } from './command.ts';
import type { JobEnd } from './follow.ts';
import type { Cause } from './outcome.ts';
import { causeOfAnswer } from './outcome.ts';
import { ellipsisOf, paint, styleOf } from './render-style.ts';
import { table } from './render-table.ts';
import { displayWidth, harmless, wrap } from './render-text.ts';

// What a request command tells: one line (or JSON entry) per ECU for its answer, and with --wait one for its end.

/** A request as the commands know it. */
export type RequestKind = 'update' | 'rollback' | 'abort';

/** The answers, and an entry for every named ECU that got none: older daemons say nothing about ECUs they do not know. */
export function completeAnswers(named: readonly string[], answers: readonly EcuAnswer[]): EcuAnswer[] {
  const missing = named.filter((id) => !answers.some((answer) => answer.ecuId === id));
  return [
    ...answers,
    ...missing.map((ecuId) => ({
      ecuId,
      result: 'RECOVERABLE' as const,
      message: 'the daemon did not answer for this ECU; it may not know it',
    })),
  ];
}

const isAccepted = (answer: EcuAnswer): boolean => answer.result === 'NO_FAILURE';

/** ECUs that accepted. */
export function acceptedIds(answers: readonly EcuAnswer[]): string[] {
  return answers.filter(isAccepted).map((answer) => answer.ecuId);
}

interface Line {
  readonly ecuId: string;
  readonly ok: boolean;
  readonly word: string;
  readonly message: string;
}

/** `ecu  word  message`, the message wrapped under itself. */
function printLines(lines: readonly Line[], io: CliIo): void {
  const style = styleOf(io, io.env);
  const idWidth = Math.min(32, Math.max(...lines.map((line) => displayWidth(harmless(line.ecuId)))));
  const wordWidth = Math.max(...lines.map((line) => line.word.length));
  const messageWidth = Math.max(20, style.columns - idWidth - wordWidth - 4);
  const rows = lines.flatMap((line) => {
    const [first = '', ...more] = wrap(harmless(line.message), messageWidth);
    return [
      [
        { text: harmless(line.ecuId), painted: (text: string) => paint(style, 'bold', text) },
        {
          text: line.word,
          painted: (text: string) => paint(style, line.ok ? 'green' : 'red', text),
        },
        { text: first },
      ],
      ...more.map((text) => [{ text: '' }, { text: '' }, { text }]),
    ];
  });
  const columns = [{ title: '', maxWidth: 32 }, { title: '' }, { title: '' }];
  const [, ...body] = table(columns, rows, { ellipsis: ellipsisOf(style) });
  io.stdout.write(body.map((line) => `${line}\n`).join(''));
}

function printJson(object: unknown, io: CliIo): void {
  io.stdout.write(`${JSON.stringify(object)}\n`);
}

interface Told {
  readonly kind: RequestKind;
  readonly host: string;
  readonly requestId: string;
  readonly json: boolean;
}

/** Tells which ECUs accepted the request. */
export function tellAnswers(answers: readonly EcuAnswer[], told: Told, io: CliIo): void {
  if (told.json) {
    printJson(
      {
        type: 'answers',
        request: told.kind,
        host: told.host,
        request_id: told.requestId,
        ecus: answers.map((answer) => ({
          ecu_id: answer.ecuId,
          accepted: isAccepted(answer),
          result: answer.result,
          message: answer.message,
          cause: causeOfAnswer(answer) ?? null,
        })),
      },
      io,
    );
    return;
  }
  if (answers.length === 0) {
    io.stdout.write('no ECU answered\n');
    return;
  }
  const line = (answer: EcuAnswer): Line => {
    const ok = isAccepted(answer);
    const { ecuId, result, message } = answer;
    // Abort has no kinds of failure: an ECU was stopped or it was not.
    if (told.kind === 'abort') return { ecuId, ok, word: ok ? 'stopped' : 'not stopped', message };
    if (ok) return { ecuId, ok, word: 'accepted', message };
    if (causeOfAnswer(answer) === 'vehicle_state') return { ecuId, ok, word: 'not now', message };
    return { ecuId, ok, word: 'refused', message: `${result} ${message}` };
  };
  printLines(answers.map(line), io);
}

const endWords: Readonly<Record<Cause, string>> = {
  refused: 'refused',
  vehicle_state: 'not now',
  failed: 'failed',
  came_back: 'came back',
  aborted: 'stopped',
};

interface Ends {
  readonly ends: readonly JobEnd[];
  /** Which had not ended when the time was up. */
  readonly open: readonly string[];
  readonly exitCode: number;
}

/** Tells how the jobs ended. */
export function tellEnds({ ends, open, exitCode }: Ends, told: Told, io: CliIo): void {
  if (told.json) {
    const ended = ends.map((end) => ({
      ecu_id: end.ecuId,
      outcome: end.ok ? 'succeeded' : 'failed',
      status: end.status.status,
      firmware_version: end.status.firmwareVersion,
      message: end.message,
      cause: end.cause ?? null,
    }));
    const timedOut = open.map((ecuId) => ({
      ecu_id: ecuId,
      outcome: 'timed_out',
      status: null,
      firmware_version: null,
      message: 'had not ended when the time was up',
      cause: null,
    }));
    printJson(
      {
        type: 'result',
        request: told.kind,
        host: told.host,
        request_id: told.requestId,
        exit_code: exitCode,
        ecus: [...ended, ...timedOut],
      },
      io,
    );
    return;
  }
  printLines(
    [
      ...ends.map((end) => ({
        ecuId: end.ecuId,
        ok: end.ok,
        word: end.ok ? (told.kind === 'abort' ? 'stopped' : 'done') : endWords[end.cause ?? 'failed'],
        message: end.message,
      })),
      ...open.map((ecuId) => ({
        ecuId,
        ok: false,
        word: 'open',
        message: 'had not ended when the time was up',
      })),
    ],
    io,
  );
}
