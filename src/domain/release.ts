import type { EcuId } from './ecu.ts';

/** The fleet's own names for a release; kept with the slot only when all three are given. */
export interface ReleaseDetail {
  readonly releaseName: string;
  readonly releaseId: string;
  readonly imageId: string;
}

/** One entry of an Update request, as the wire carries it: nothing is checked yet. */
export interface UpdateRequestEntry {
  readonly ecuId: EcuId;
  readonly version: string;
  readonly url: string;
  /** JSON object of text values; empty means none. A secret: never logged. */
  readonly cookies: string;
  readonly releaseName: string;
  readonly releaseId: string;
  readonly imageId: string;
  /** Whether a quarantined release is installed all the same; not when absent. */
  readonly force?: boolean;
}

/** What one ECU was asked to install, after its request was validated. */
export interface ReleaseRequest {
  readonly version: string;
  /** Base URL of the image, always with a trailing slash. */
  readonly url: URL;
  /** Sent to the image's origin only. A secret: never logged, never in status or errors. */
  readonly cookies: ReadonlyMap<string, string>;
  readonly detail: ReleaseDetail | undefined;
  readonly requestId: string;
  /** Whether a quarantined release is installed all the same; not when absent. */
  readonly force?: boolean;
}
