import { execFileSync } from 'node:child_process';

// Two implementations of Avro that share no code with ours: Apache Avro for Python and for C.

const timeout = 120_000;
const maxBuffer = 1024 * 1024 * 1024;

export function pythonAvroMissing(): string | false {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import avro.datafile'], { timeout, stdio: 'ignore' });
    return false;
  } catch {
    return 'needs python3-avro';
  }
}

/** Walks what Python read and tells every value in a form that both sides write alike; writes it all again. */
const pythonReader = `
import json, struct, sys
from avro.datafile import DataFileReader, DataFileWriter
from avro.io import DatumReader, DatumWriter
rows = []
def number(v):
    if isinstance(v, bool): return "b%d" % v
    if isinstance(v, int): return "i%d" % v
    if isinstance(v, float): return "f" + struct.pack(">d", v).hex()
    return "s" + v.encode().hex()
def walk(v):
    if isinstance(v, dict):
        for key in v: walk(v[key])
    elif isinstance(v, list):
        rows.append("[%d" % len(v))
        for item in v: walk(item)
    else: rows.append(number(v))
reader = DataFileReader(open(sys.argv[1], "rb"), DatumReader())
messages = list(reader)
for m in messages: walk(m)
print(json.dumps(rows))
if len(sys.argv) > 2:
    writer = DataFileWriter(open(sys.argv[2], "wb"), DatumWriter(), reader.datum_reader.writers_schema, codec="deflate")
    for m in messages: writer.append(m)
    writer.close()
`;

/** Every value of a file, as `rowsOf` writes it; with `rewritten`, Python writes the file again to there. */
export function readWithPython(file: string, rewritten?: string): string[] {
  const args = ['-c', pythonReader, file, ...(rewritten === undefined ? [] : [rewritten])];
  return JSON.parse(execFileSync('/usr/bin/python3', args, { timeout, maxBuffer }).toString()) as string[];
}

/** Every message of a file, whole numbers as bigint. */
export function readWithC(file: string): unknown[] {
  const lines = execFileSync('avrocat', [file], { timeout, maxBuffer }).toString().split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line, exact) as unknown);
}

function exact(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? '';
  return typeof value === 'number' && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** A message in the form of `readWithC`. */
export function asReadWithC(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (Array.isArray(value)) return value.map(asReadWithC);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      (key === 'int' || key === 'count') && typeof item === 'number' ? BigInt(item) : asReadWithC(item),
    ]),
  );
}

/** The values of a message, depth first, one row each. */
export function rowsOf(message: unknown, rows: string[] = []): string[] {
  if (Array.isArray(message)) {
    rows.push(`[${message.length}`);
    for (const item of message) rowsOf(item, rows);
  } else if (typeof message === 'object' && message !== null) {
    for (const [key, item] of Object.entries(message)) {
      if (typeof item === 'number' && /^(?:float|double|lat|long|alt)$/.test(key)) {
        const bytes = Buffer.alloc(8);
        bytes.writeDoubleBE(item);
        rows.push(`f${bytes.toString('hex')}`);
      } else rowsOf(item, rows);
    }
  } else if (typeof message === 'boolean') rows.push(`b${Number(message)}`);
  else if (typeof message === 'string') rows.push(`s${Buffer.from(message).toString('hex')}`);
  else rows.push(`i${message as number | bigint}`);
  return rows;
}
