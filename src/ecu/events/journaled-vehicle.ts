import type { EcuId } from '#domain/ecu.ts';
import type {
  EcuAnswer,
  IncomingCall,
  NamedRequest,
  UpdateRequest,
  Vehicle,
  VehicleReport,
} from '#ecu/ecu.ts';
import { newRequestId } from '#ecu/request-id.ts';
import type { EventJournal } from './event-journal.ts';

/** More than this in one line helps nobody. */
const maxNamed = 16;

/** A vehicle that writes down who asks for what before it does it, and what became of that. */
export class JournaledVehicle implements Vehicle {
  readonly #vehicle: Vehicle;
  readonly #journal: Pick<EventJournal, 'record' | 'note'>;

  constructor(vehicle: Vehicle, journal: Pick<EventJournal, 'record' | 'note'>) {
    this.#vehicle = vehicle;
    this.#journal = journal;
  }

  status(): VehicleReport | undefined {
    return this.#vehicle.status();
  }

  update(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    const wishes = request.entries.map(({ ecuId, version }) => `${ecuId} to ${version}`);
    return this.#asked('update', wishes, request, call, (known) => this.#vehicle.update(known, call));
  }

  clientUpdate(request: UpdateRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    const wishes = request.entries.map(({ ecuId }) => ecuId);
    return this.#asked('client update', wishes, request, call, (known) =>
      this.#vehicle.clientUpdate(known, call),
    );
  }

  rollback(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    return this.#asked('rollback', request.ecuIds, request, call, (known) =>
      this.#vehicle.rollback(known, call),
    );
  }

  abort(request: NamedRequest, call: IncomingCall): Promise<readonly EcuAnswer[]> {
    const wishes = request.ecuIds.length === 0 ? ['every ECU'] : request.ecuIds;
    return this.#asked('abort', wishes, request, call, (known) => this.#vehicle.abort(known, call));
  }

  async #asked<R extends UpdateRequest | NamedRequest>(
    what: string,
    wishes: readonly string[],
    request: R,
    call: IncomingCall,
    ask: (request: R) => Promise<readonly EcuAnswer[]>,
  ): Promise<readonly EcuAnswer[]> {
    const requestId = request.requestId || newRequestId();
    const caller = call.by ?? 'unknown';
    const ids = idsOf(request);
    const about = {
      kind: 'request',
      caller,
      ...(ids.length === 1 && ids[0] !== undefined ? { ecuId: ids[0] } : {}),
    } as const;
    const details = { request: what, request_id: requestId, ecus: listed(ids, ',') };
    await this.#journal.record({ ...about, text: `asks for ${what} of ${listed(wishes, ', ')}`, details });
    const answers = await ask({ ...request, requestId });
    const refused = answers.filter(({ result }) => result !== 'NO_FAILURE');
    const taken = answers.filter(({ result }) => result === 'NO_FAILURE').map(({ ecuId }) => ecuId);
    const parts = [
      ...(taken.length === 0 ? [] : [`accepted by ${listed(taken, ', ')}`]),
      ...refused.slice(0, maxNamed).map(({ ecuId, message }) => `refused by ${ecuId}: ${message}`),
    ];
    this.#journal.note({
      ...about,
      text: `${what} ${parts.length === 0 ? 'was answered by nobody' : parts.join('; ')}`,
      details: { ...details, accepted: listed(taken, ','), refused: String(refused.length) },
    });
    return answers;
  }
}

function idsOf(request: UpdateRequest | NamedRequest): readonly EcuId[] {
  return 'entries' in request ? request.entries.map(({ ecuId }) => ecuId) : request.ecuIds;
}

function listed(names: readonly string[], separator: string): string {
  const more = names.length - maxNamed;
  const shown = names.slice(0, maxNamed).join(separator);
  return more > 0 ? `${shown}${separator}and ${more} more` : shown;
}
