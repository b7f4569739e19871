import type { CliIo } from '#cli/command.ts';
import { type Paint, paint, styleOf } from '#cli/render-style.ts';
import { type Cell, type Column, table } from '#cli/render-table.ts';
import { harmless, wrap } from '#cli/render-text.ts';
import { humanBytes, humanCount } from '#cli/render-units.ts';
import type { UpdateProgress, WorkDone } from '#domain/progress.ts';
import { entryKinds } from '#image/file-table.ts';
import type { DemoEcu } from './fleet.ts';
import type { ServedCount } from './image-server.ts';
import type { Release } from './releases.ts';
import { maxTold, type Verdict } from './verify.ts';

/** Writes what the demo tells: headings, lines and tables, in colours on a terminal. */
export class Words {
  readonly #io: CliIo;
  #chapter = 0;

  constructor(io: CliIo) {
    this.#io = io;
  }

  /** A numbered heading. */
  chapter(text: string): void {
    this.#chapter += 1;
    this.line();
    this.#prose(`${this.#chapter}. ${text}`, 'bold');
  }

  /** A line that is written as it is, so that it can be copied. */
  line(text = ''): void {
    this.#io.stdout.write(`${text}\n`);
  }

  tell(text: string): void {
    this.#prose(text);
  }

  good(text: string): void {
    this.#prose(text, 'green');
  }

  bad(text: string): void {
    this.#prose(harmless(text), 'red');
  }

  quiet(text: string): void {
    this.#prose(text, 'dim');
  }

  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    const lines = table(columns, rows, { paintTitle: (title) => paint(this.#style, 'dim', title) });
    for (const line of lines) this.line(line);
  }

  releases(releases: readonly Release[]): void {
    const titles = [
      'RELEASE',
      'FILES',
      'BYTES',
      'DIRECTORIES',
      'SYMLINKS',
      'HARD LINKS',
      'DUPLICATES',
      'IMAGE',
    ];
    this.table(
      titles.map((title, index) => ({ title, align: index === 0 ? 'left' : 'right' })),
      releases.map((release) => {
        const { files, bytes, directories, symlinks, hardLinks, duplicates } = contentsOf(release);
        const counts = [directories, symlinks, hardLinks, duplicates].map(humanCount);
        const image = humanBytes(release.storedBytes);
        return [release.version, humanCount(files), humanBytes(bytes), ...counts, image].map(cell);
      }),
    );
  }

  /** What the comparison of each ECU's slot says. */
  verdicts(verdicts: readonly Verdict[]): void {
    const titles = ['ECU', 'VERSION', 'SLOT', 'ENTRIES COMPARED', 'DIFFERENCES'];
    this.table(
      titles.map((title, index) => ({ title, align: index < 3 ? 'left' : 'right' })),
      verdicts.map(({ ecuId, slot, entries, differences }) => {
        const colour = differences.length === 0 ? 'green' : 'red';
        return [
          this.#name(ecuId),
          cell(harmless(slot.version)),
          cell(slot.id),
          cell(humanCount(entries)),
          { text: humanCount(differences.length), painted: (text) => paint(this.#style, colour, text) },
        ];
      }),
    );
    for (const verdict of verdicts) this.differences(verdict);
  }

  /** Where each ECU took its files from. */
  accounts(accounts: readonly Account[]): void {
    const titles = ['ECU', 'COPIED', 'LINKED', 'DOWNLOADED', 'SENT BY THE SERVER'];
    this.table(
      titles.map((title, index) => ({ title, align: index === 0 ? 'left' : 'right' })),
      accounts.map(({ ecuId, progress, served }) => [
        this.#name(ecuId),
        cell(work(progress?.copy)),
        cell(work(progress?.link)),
        cell(work(progress?.download)),
        cell(humanBytes(served.bytes)),
      ]),
    );
  }

  differences({ ecuId, differences }: Verdict): void {
    for (const { path, what } of differences.slice(0, maxTold)) this.bad(`${ecuId}: ${path} ${what}`);
    const more = differences.length - maxTold;
    if (more > 0) this.bad(`${ecuId}: ${humanCount(more)} more differences`);
  }

  vehicle(ecus: readonly DemoEcu[], pidOf: (ecuId: string) => number | undefined): void {
    const name = ({ ecuId, depth }: DemoEcu): string => '  '.repeat(depth) + ecuId;
    this.table(
      [{ title: 'ECU' }, { title: 'ADDRESS' }, { title: 'PROCESS' }],
      ecus.map((ecu) => [name(ecu), `${ecu.host}:${ecu.port}`, String(pidOf(ecu.ecuId) ?? '-')].map(cell)),
    );
  }

  #name(ecuId: string): Cell {
    return { text: ecuId, painted: (text) => paint(this.#style, 'bold', text) };
  }

  /** Text that is wrapped where the terminal ends. */
  #prose(text: string, how?: Paint): void {
    const style = this.#style;
    for (const line of wrap(text, style.columns))
      this.line(how === undefined ? line : paint(style, how, line));
  }

  get #style(): ReturnType<typeof styleOf> {
    return styleOf(this.#io, this.#io.env);
  }
}

/** What an update of one ECU took from where. */
export interface Account {
  readonly ecuId: string;
  /** The ECU's own account, as it was last seen. */
  readonly progress: UpdateProgress | undefined;
  /** The server's account. */
  readonly served: ServedCount;
}

function cell(text: string): Cell {
  return { text };
}

function work(done: WorkDone | undefined): string {
  return done === undefined ? '-' : `${humanCount(done.files)} (${humanBytes(done.bytes)})`;
}

function contentsOf({
  image: { table },
}: Release): Record<'files' | 'bytes' | 'directories' | 'symlinks' | 'hardLinks' | 'duplicates', number> {
  const found = { files: 0, bytes: 0, directories: 0, symlinks: 0, hardLinks: 0, duplicates: 0 };
  const groups = new Set<number>();
  for (let entry = 0; entry < table.entryCount; entry++) {
    const kind = table.kind(entry);
    if (kind === entryKinds.directory) found.directories += 1;
    if (kind === entryKinds.symlink) found.symlinks += 1;
    if (kind !== entryKinds.regular) continue;
    found.files += 1;
    found.bytes += table.resourceSize(table.resource(entry));
    const group = table.group(entry);
    if (groups.has(group)) found.hardLinks += 1;
    else if (group !== 0) groups.add(group);
  }
  found.duplicates = found.files - found.hardLinks - table.resourceCount;
  return found;
}

/** What `second` has that `first` does not: different contents and their bytes. */
export function newContents(
  first: Release,
  second: Release,
): { readonly contents: number; readonly bytes: number } {
  const before = first.image.table;
  const known = new Set(
    Array.from({ length: before.resourceCount }, (_, index) => before.resourceHex(index)),
  );
  const { table } = second.image;
  let [contents, bytes] = [0, 0];
  for (let resource = 0; resource < table.resourceCount; resource++) {
    if (known.has(table.resourceHex(resource))) continue;
    contents += 1;
    bytes += table.resourceSize(resource);
  }
  return { contents, bytes };
}
