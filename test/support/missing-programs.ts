import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Why a test that needs these programs has to skip itself; false when all are on PATH. */
export function missingPrograms(...names: readonly string[]): string | false {
  // An ordinary user's PATH may lack the places of system tools.
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const missing = names.filter((name) => !places.some((place) => isExecutable(join(place, name))));
  return missing.length === 0 ? false : `needs ${missing.join(', ')} on PATH`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
