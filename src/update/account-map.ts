import { readFile } from 'node:fs/promises';
import { resolveInRoot } from '#host/root-path.ts';

/** Translates owners of one slot to those of another, by the names of users and groups. */
export interface AccountMap {
  uid(uid: number): number;
  gid(gid: number): number;
}

/** Larger account files are not looked at. */
const maxBytes = 8 * 1024 * 1024;

/** Reads both slots' /etc/passwd and /etc/group. Ids without a name in either are kept as they are. */
export async function readAccountMap(fromRoot: string, toRoot: string): Promise<AccountMap> {
  const users = await idMap(fromRoot, toRoot, '/etc/passwd');
  const groups = await idMap(fromRoot, toRoot, '/etc/group');
  return { uid: (uid) => users.get(uid) ?? uid, gid: (gid) => groups.get(gid) ?? gid };
}

async function idMap(fromRoot: string, toRoot: string, file: string): Promise<ReadonlyMap<number, number>> {
  const target = new Map((await accounts(toRoot, file)).map(({ name, id }) => [name, id]));
  const map = new Map<number, number>();
  for (const { name, id } of await accounts(fromRoot, file)) {
    const other = target.get(name);
    if (other !== undefined && !map.has(id)) map.set(id, other);
  }
  return map;
}

/** Lines `name:password:id:…` of passwd(5) and group(5). */
async function accounts(root: string, file: string): Promise<{ name: string; id: number }[]> {
  let text: string;
  try {
    const bytes = await readFile(await resolveInRoot(root, file));
    text = bytes.length > maxBytes ? '' : bytes.toString();
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [name, , id] = line.split(':');
    return name !== undefined && name !== '' && id !== undefined && /^\d{1,10}$/.test(id)
      ? [{ name, id: Number(id) }]
      : [];
  });
}
