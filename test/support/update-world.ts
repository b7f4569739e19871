import { createReadStream } from 'node:fs';
import { chmod, copyFile, link, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Slots, StandbyTree } from '#boot/slots.ts';
import type { ReleaseRequest } from '#domain/release.ts';
import { makeKeys } from '#image/build/keys.ts';
import { loadSigner, signImage } from '#image/build/sign.ts';
import { directorySource } from '#image/build/source-directory.ts';
import { buildImage } from '#image/build/write-image.ts';
import { compareTree } from '#image/compare-tree.ts';
import type { VerifiedImage } from '#image/image.ts';
import { UpdateEngine } from '#update/engine.ts';
import { ProgressMeter } from '#update/progress-meter.ts';
import { scratchDirectory, unlock } from './scratch-directory.ts';
import { type Handler, WireServer } from './wire-server.ts';

/** What a tree holds: content, or what kind of thing it is. */
export type TreeSpec = Readonly<
  Record<
    string,
    | string
    | Buffer
    | { readonly link: string }
    | { readonly symlink: string }
    | { readonly directory: number }
    | { readonly content: string | Buffer; readonly mode: number }
  >
>;

/** Makes a tree of real files. Hard links name an earlier path. */
export async function makeTree(root: string, spec: TreeSpec): Promise<void> {
  await mkdir(root, { recursive: true });
  const directories: [string, number][] = [];
  for (const [path, thing] of Object.entries(spec)) {
    const full = join(root, path);
    await mkdir(dirname(full), { recursive: true });
    if (typeof thing === 'string' || Buffer.isBuffer(thing)) await writeFile(full, thing);
    else if ('link' in thing) await link(join(root, thing.link), full);
    else if ('symlink' in thing) await symlink(thing.symlink, full);
    else if ('directory' in thing) {
      await mkdir(full, { recursive: true });
      directories.push([full, thing.directory]);
    } else {
      await writeFile(full, thing.content);
      await chmod(full, thing.mode);
    }
  }
  for (const [path, mode] of directories.reverse()) await chmod(path, mode);
}

/** One ECU's two slots, a signed image on a real server, and the engine between them. */
export class UpdateWorld {
  readonly directory: string;
  readonly server: WireServer;
  readonly tree: StandbyTree;
  /** Body bytes that the server has sent, whatever became of them. */
  sent = 0;
  /** Called first for every request; true when it has answered. */
  intercept: (path: string, ...args: Parameters<Handler>) => boolean | Promise<boolean> = () => false;
  #serverDirectory = '';

  private constructor(directory: string, server: WireServer) {
    this.directory = directory;
    this.server = server;
    this.tree = {
      slot: 'slot_b',
      root: join(directory, 'slots/slot_b'),
      work: join(directory, 'slots/slot_b.work'),
      activeRoot: join(directory, 'slots/slot_a'),
      reserved: [],
    };
  }

  static async create(t: TestContext): Promise<UpdateWorld> {
    const directory = await scratchDirectory(t);
    let self: UpdateWorld | undefined;
    const server = await WireServer.start(async (request, response) => self?.serve(request, response));
    t.after(() => server[Symbol.asyncDispose]());
    const world = new UpdateWorld(directory, server);
    self = world;
    const keys = await makeKeys({ directory: join(directory, 'keys') });
    await mkdir(join(directory, 'trust'));
    for (const file of keys.trust) await copyFile(file, join(directory, 'trust', basename(file)));
    await mkdir(world.tree.activeRoot, { recursive: true });
    return world;
  }

  /** Builds and signs an image of this tree; from now on the server serves it. */
  async publish(spec: TreeSpec, persistents: readonly string[] = []): Promise<string> {
    const name = `release-${Object.keys(spec).length}-${performance.now()}`;
    const source = join(this.directory, name, 'tree');
    const image = join(this.directory, name, 'image');
    await makeTree(source, spec);
    await buildImage({ source: directorySource(source), output: image, persistents });
    const files = {
      certificate: join(this.directory, 'keys/sign.pem'),
      key: join(this.directory, 'keys/sign.key'),
    };
    await signImage(image, await loadSigner(files));
    this.#serverDirectory = image;
    return image;
  }

  /** Runs an update up to the staged tree. */
  async update(
    options: {
      readonly signal?: AbortSignal;
      readonly cookies?: Record<string, string>;
      readonly slots?: Pick<Slots, 'look' | 'prepare'>;
    } = {},
  ): Promise<{
    readonly image: VerifiedImage;
    readonly meter: ProgressMeter;
    readonly tree: StandbyTree;
  }> {
    const meter = new ProgressMeter('2');
    const context = { meter, signal: options.signal ?? new AbortController().signal };
    await using engine = this.engine(options.slots);
    const image = await engine.verify(this.request(options.cookies), context);
    const prepared = await engine.prepare(image, context);
    const staged = await engine.place(await engine.plan(prepared, context), context);
    const { tree } = await engine.persist(staged, context);
    return { image, meter, tree };
  }

  engine(slots: Pick<Slots, 'look' | 'prepare'> = this.#directories()): UpdateEngine {
    return new UpdateEngine({
      slots,
      trustDirectory: join(this.directory, 'trust'),
      metadataDirectory: join(this.directory, 'state/metadata'),
      workers: 2,
      tuning: {
        connections: 8,
        attempts: 4,
        backoffBaseMs: 5,
        backoffMaxMs: 20,
        retryAfterMaxMs: 100,
        noProgressTimeoutMs: 10_000,
        connectTimeoutMs: 2000,
        headersTimeoutMs: 5000,
        bodyTimeoutMs: 5000,
      },
      proxy: undefined,
      clientVersion: 'test',
      ownersReport: join(this.directory, 'state/unset-owners.txt'),
      log: { info() {}, warn() {}, error() {} },
    });
  }

  #directories(): Pick<Slots, 'look' | 'prepare'> {
    return {
      look: async () => this.tree,
      prepare: async () => {
        await mkdir(this.tree.root, { recursive: true });
        await mkdir(this.tree.work, { recursive: true });
        return this.tree;
      },
    };
  }

  request(cookies: Record<string, string> = {}): ReleaseRequest {
    return {
      version: '2',
      url: this.server.origin,
      cookies: new Map(Object.entries(cookies)),
      detail: undefined,
      requestId: 'test',
    };
  }

  /** Differences between the standby slot and an image. */
  async differences(
    image: VerifiedImage,
    except: readonly string[] = [],
    root = this.tree.root,
  ): Promise<string[]> {
    const owners = process.geteuid?.() === 0;
    const found: string[] = [];
    for await (const { path, what } of compareTree(image.table, root, { owners, except })) {
      found.push(`${path} ${what}`);
    }
    return found;
  }

  /** Makes what the update built the active slot, and an empty slot the standby. */
  async swap(): Promise<void> {
    const { root, activeRoot } = this.tree;
    await unlock(activeRoot);
    await rm(activeRoot, { recursive: true, force: true });
    await rename(root, activeRoot);
  }

  async serve(...[request, response]: Parameters<Handler>): Promise<void> {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    const { socket } = request;
    const before = socket.bytesWritten;
    response.on('close', () => {
      this.sent += socket.bytesWritten - before;
    });
    if (await this.intercept(path, request, response)) return;
    const file = join(this.#serverDirectory, path);
    let size: number;
    try {
      size = (await stat(file)).size;
    } catch {
      response.writeHead(404).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    const to = Math.min(size - 1, range?.[2] ? Number(range[2]) : size - 1);
    if (range !== null && from >= size) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    const head = { 'content-length': Math.max(0, to - from + 1), etag: `"${size}"` };
    if (range === null) response.writeHead(200, head);
    else response.writeHead(206, { ...head, 'content-range': `bytes ${from}-${to}/${size}` });
    if (size === 0) response.end();
    else createReadStream(file, { start: from, end: to }).pipe(response);
  }
}
