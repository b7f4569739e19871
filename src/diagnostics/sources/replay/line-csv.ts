import { vssDatatype } from '#diagnostics/messages/vss-value.ts';
import { DriveError } from './drive-error.ts';
import { type LineReader, names, timeOf } from './drive-line.ts';

const example = 'write time,path,value';

/** A reader of lines for a CSV whose first line this is. `isHeader`: whether that line holds no value. */
export function csvDrive(first: string): { readonly read: LineReader; readonly isHeader: boolean } {
  const head = fieldsOf(first);
  const columns = head.map((name) => name.trim().toLowerCase());
  const at = (wanted: readonly string[]): number => columns.findIndex((name) => wanted.includes(name));
  const [time, path, value, datatype] = [at(names.time), at(names.path), at(names.value), at(names.datatype)];
  const isHeader = time >= 0 && path >= 0 && value >= 0;
  // A recorder that writes no header writes the three in this order.
  if (!isHeader && !(head.length === 3 && /^[-\d]/.test(head[0] ?? '')))
    throw new DriveError(`is no header: ${example}, and datatype if it is known`);
  const places = isHeader ? { time, path, value, datatype } : { time: 0, path: 1, value: 2, datatype: -1 };
  const count = head.length;
  const read: LineReader = (line) => {
    const fields = fieldsOf(line);
    if (fields.length !== count)
      throw new DriveError(`has ${fields.length} fields instead of ${count}; quote a value that has commas`);
    const field = (place: number): string => fields[place]?.trim() ?? '';
    return {
      timeMs: timeOf(field(places.time)),
      path: field(places.path),
      datatype: datatypeOf(field(places.datatype), columns[places.datatype]),
      written: { from: 'text', text: fields[places.value] ?? '' },
    };
  };
  return { read, isHeader };
}

/** A column `type` may be that of other tables, which call a long a long. Errors: DriveError. */
export function datatypeOf(text: string, column: string | undefined) {
  if (text === '') return undefined;
  const datatype = vssDatatype(text);
  if (datatype === undefined && column === 'datatype')
    throw new DriveError(`${JSON.stringify(text)} is no datatype of VSS, such as float or string[]`);
  return datatype;
}

/** @see RFC 4180, without line ends inside of quotes */
function fieldsOf(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  const pattern = /\s*"((?:[^"]|"")*)"\s*(,|$)|([^,"]*)(,|$)/y;
  for (;;) {
    const found = pattern.exec(line);
    if (found === null) throw new DriveError('has a quote that does not end, or something behind one');
    fields.push(found[1] === undefined ? (found[3] ?? '') : found[1].replaceAll('""', '"'));
    if ((found[2] ?? found[4]) === '') return fields;
  }
}
