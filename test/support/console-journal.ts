import { EventEmitter, once } from 'node:events';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import { Code, ConnectError } from '@connectrpc/connect';
import type { ConsoleService } from '#gen/ota/console/v1/console_pb.ts';
import type { EventSchema } from '#gen/ota/console/v1/types_pb.ts';

type EventInit = MessageInitShape<typeof EventSchema> & { readonly sequence: bigint };

/** The journal part of a console: keeps events, gives them in pages, and streams new ones. */
export class ConsoleJournal {
  readonly events: EventInit[] = [];
  readonly #news = new EventEmitter();
  /** Places before this one are out of range. */
  oldest = 1n;

  add(...events: EventInit[]): void {
    this.events.push(...events);
    this.#news.emit('news');
  }

  /** Pages of at most `largest` events. */
  service(largest = 1000): Partial<ServiceImpl<typeof ConsoleService>> {
    const { events } = this;
    return {
      listEvents: ({ pageSize, pageToken, ecuId, kinds, query }) => {
        const wanted = events
          .filter((event) => ecuId === '' || event.ecuId === ecuId)
          .filter((event) => kinds.length === 0 || kinds.some((kind) => kind === event.kind))
          .filter((event) => (event.text ?? '').toLowerCase().includes(query.toLowerCase()))
          .toReversed();
        const from = Number(pageToken);
        const to = from + Math.min(largest, pageSize);
        return { events: wanted.slice(from, to), nextPageToken: to < wanted.length ? `${to}` : '' };
      },
      watchEvents: (request, { signal }) => this.#watch(request.afterSequence, signal),
    };
  }

  async *#watch(after: bigint, signal: AbortSignal): AsyncGenerator<{ events: EventInit[] }> {
    if (after > 0n && after < this.oldest - 1n) throw new ConnectError('dropped', Code.OutOfRange);
    let seen = after > 0n ? after : (this.events.at(-1)?.sequence ?? 0n);
    for (;;) {
      const fresh = this.events.filter((event) => event.sequence > seen);
      seen = fresh.at(-1)?.sequence ?? seen;
      yield { events: fresh };
      if (this.events.every((event) => event.sequence <= seen)) await once(this.#news, 'news', { signal });
    }
  }
}
