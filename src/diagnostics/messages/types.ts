// The value-exchange messages of COVESA's data-messages work, as its Avro branch defines them. Field names are those of
// the schemas. Every `long` is a bigint, so that 64 bits are exact. Times are ours to define, since the schemas leave the
// unit open: microseconds since 1970-01-01T00:00:00Z, told in the metadata of every container file.
//
// Not here: ToleranceTimeStampedRecord, whose schema file in the prototype is empty, and Bundle, Stream, Job and Request,
// which have none.

/** One measured value: its key is the branch of the schema's union. */
export type Scalar =
  | { readonly int: number }
  | { readonly long: bigint }
  | { readonly float: number }
  | { readonly double: number }
  | { readonly string: string }
  | { readonly boolean: boolean };

/** There is no branch for "no value": a sample without one is left out. */
export interface Value {
  readonly item: Scalar | { readonly array: readonly Scalar[] };
}

/** `VSS.Record`: one plain value, no arrays. */
export interface PlainRecord {
  readonly value: Scalar;
}

export interface SpecifiedRecord {
  /** Absolute VSS path, such as `Vehicle.Speed`. */
  readonly signal_identifier: string;
  readonly value: Value;
}

export interface TimeStampedRecord {
  readonly ts: bigint;
  readonly value: Value;
}

export interface SpecifiedTimeStampedRecord {
  readonly signal_identifier: string;
  readonly ts: bigint;
  readonly value: Value;
}

/** Degrees and metres, 32 bits each: a longitude is up to 1.7 m off. */
export interface GnssPosition {
  readonly lat: number;
  readonly long: number;
  readonly alt: number;
}

export interface GeospatialRecord {
  readonly pos: GnssPosition;
  readonly ts: bigint;
  readonly value: Value;
}

export interface SpecifiedGeospatialRecord extends GeospatialRecord {
  readonly signal_identifier: string;
}

/** One signal over time. `count` is the number of items; readers must not trust it. */
export interface TimeSeries {
  readonly signal_identifier: string;
  readonly count: number;
  readonly items: readonly TimeStampedRecord[];
}

/** Values of different signals that belong together because they were measured within one period. */
export interface Snapshot {
  readonly count: number;
  readonly timeperiod: { readonly start: bigint; readonly end: bigint };
  readonly values: readonly SpecifiedTimeStampedRecord[];
}

/** One delivery. */
export interface Message {
  readonly item:
    | { readonly SpecifiedTimeStampedRecord: SpecifiedTimeStampedRecord }
    | { readonly TimeSeries: TimeSeries }
    | { readonly Snapshot: Snapshot };
}

/** What is stored and uploaded in bulk. */
export interface MessageSequence {
  readonly seq: readonly Message[];
}

/** Every message type by the name that it has here; on the wire, `Record` is `VSS.Record`. */
export interface MessageTypes {
  readonly Value: Value;
  readonly Record: PlainRecord;
  readonly SpecifiedRecord: SpecifiedRecord;
  readonly TimeStampedRecord: TimeStampedRecord;
  readonly SpecifiedTimeStampedRecord: SpecifiedTimeStampedRecord;
  readonly GeospatialRecord: GeospatialRecord;
  /** The published schema gives it the record name `GeospatialRecord`, and so do we. */
  readonly SpecifiedGeospatialRecord: SpecifiedGeospatialRecord;
  readonly TimeSeries: TimeSeries;
  readonly Snapshot: Snapshot;
  readonly Message: Message;
  readonly MessageSequence: MessageSequence;
}
export type MessageName = keyof MessageTypes;
