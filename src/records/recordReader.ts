// Reads the records of a GetRecords response one after the other. The fields of the current record
// are pieces of the response's text, which the next `read` overwrites.

import { sourceOf, TextPiece } from "./byteSource.ts";
import { InvalidResponse, nullOnly } from "./invalidResponse.ts";
import { CLOSE_OBJECT, COLON, type JsonCursor, OPEN_OBJECT, QUOTE } from "./jsonCursor.ts";
import { beginsWithMagic } from "./kpl/format.ts";
import { secondsToMs, textToMs } from "./timestamp.ts";

/**
 * Stands for a missing time: a child expects a number. Kinesis omits the time of very old records
 * only.
 */
const UNKNOWN_ARRIVAL_MS = 0;
/** After a payload longer than this, the next one is expected to be long, too. */
const LONG_DATA_BYTES = 64;
/** In the order in which Kinesis sends them. EncryptionType comes in encrypted streams only. */
const NAMES = (
  [
    "SequenceNumber",
    "ApproximateArrivalTimestamp",
    "Data",
    "PartitionKey",
    "EncryptionType",
  ] as const
).map((name) => ({ name, quoted: sourceOf(`"${name}"`) }));

export class RecordReader {
  /** Base64, as the content of a JSON string; empty when it is absent or null. */
  readonly data = new TextPiece();
  /** The content of a JSON string; empty when it is absent or null. */
  readonly partitionKey = new TextPiece();
  /** Decimal digits. */
  readonly sequenceNumber = new TextPiece();
  arrivalMs = UNKNOWN_ARRIVAL_MS;

  readonly #json: JsonCursor;
  /** The last payload was long, so the reader finds the end of the next one with `indexOf`. */
  #expectLong = true;

  constructor(json: JsonCursor) {
    this.#json = json;
  }

  /** Reads the next record. @throws InvalidResponse when it is malformed. */
  read(): void {
    const json = this.#json;
    const lastSequenceLength = this.sequenceNumber.length;
    this.data.clear();
    this.partitionKey.clear();
    this.sequenceNumber.clear();
    this.arrivalMs = UNKNOWN_ARRIVAL_MS;
    let more = json.open(OPEN_OBJECT, CLOSE_OBJECT);
    while (more) {
      switch (this.#name()) {
        case "Data":
          this.#readData();
          break;
        case "SequenceNumber":
          this.#readSequenceNumber(lastSequenceLength);
          break;
        case "PartitionKey":
          if (this.#isString("PartitionKey", this.partitionKey)) {
            json.string();
            this.#keep(this.partitionKey);
          }
          break;
        case "ApproximateArrivalTimestamp":
          this.#readArrival();
          break;
        default:
          json.ignore();
      }
      more = json.more(CLOSE_OBJECT);
    }
    const { source, start, end } = this.sequenceNumber;
    if (source.areDigits(start, end)) return;
    throw new InvalidResponse(
      `Kinesis sent a record without a sequence number, before byte ${json.pos} of the response.`,
    );
  }

  /** The payload begins like a KPL aggregate. */
  get mayBeAggregate(): boolean {
    const { source, start, length } = this.data;
    return beginsWithMagic(source.bytes, start, length);
  }

  /** Consumes a name and its colon. Only an unknown name is decoded. */
  #name(): string {
    const json = this.#json;
    if (json.peek() === QUOTE) {
      for (const { name, quoted } of NAMES) {
        if (json.source.matches(json.pos, quoted)) {
          json.pos += quoted.bytes.length;
          json.expect(COLON);
          return name;
        }
      }
    }
    json.string();
    const name = json.text();
    json.expect(COLON);
    return name;
  }

  /**
   * Whether a string follows. If not, consumes a `null` and clears the piece: of a name that comes
   * twice, the last value counts.
   */
  #isString(name: string, piece: TextPiece): boolean {
    if (this.#json.peek() === QUOTE) return true;
    nullOnly(this.#json.value(), name);
    piece.clear();
    return false;
  }

  /** Points the piece at the string that was just consumed. */
  #keep(piece: TextPiece): void {
    const json = this.#json;
    if (json.plain) piece.set(json.source, json.start, json.end);
    else {
      const source = json.normalised();
      piece.set(source, 0, source.bytes.length);
    }
  }

  #readData(): void {
    const json = this.#json;
    if (!this.#isString("Data", this.data)) return;
    if (this.#expectLong) json.longString(json.pos + 1);
    else json.string();
    this.#keep(this.data);
    this.#expectLong = this.data.length > LONG_DATA_BYTES;
  }

  #readSequenceNumber(lastLength: number): void {
    const json = this.#json;
    if (!this.#isString("SequenceNumber", this.sequenceNumber)) return;
    // All sequence numbers of a shard have the same length.
    const start = json.pos + 1;
    const end = start + lastLength;
    if (json.bytes[end] === QUOTE && json.source.areDigits(start, end)) json.take(start, end);
    else json.string();
    this.#keep(this.sequenceNumber);
  }

  #readArrival(): void {
    const json = this.#json;
    if (json.peek() === QUOTE) {
      json.string();
      this.arrivalMs = textToMs(json.text()) ?? this.#noTime();
      return;
    }
    json.scalar();
    this.arrivalMs = secondsToMs(json.bytes, json.start, json.end) ?? this.#noTime();
  }

  #noTime(): number {
    const { bytes, start, end } = this.#json;
    const found = bytes.toString("utf8", start, Math.min(end, start + 40));
    if (found === "null") return UNKNOWN_ARRIVAL_MS;
    throw new InvalidResponse(
      `Kinesis sent a record whose ApproximateArrivalTimestamp is not a time: ${found}`,
    );
  }
}
