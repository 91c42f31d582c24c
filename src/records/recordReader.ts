// Reads the records of a GetRecords answer, one after the other, each into the same few pieces of text.

import { sourceOf } from "./byteSource.ts";
import { InvalidResponse, nullOnly } from "./invalidResponse.ts";
import { CLOSE_OBJECT, COLON, type JsonCursor, OPEN_OBJECT, QUOTE } from "./jsonCursor.ts";
import { TextPiece } from "./textPiece.ts";
import { secondsToMs, textToMs } from "./timestamp.ts";

/** The service sends no time with a record only where it never knew one; a child cannot do with `null`. */
const UNKNOWN_ARRIVAL_MS = 0;
/** A payload that is longer than this is expected to be followed by others like it. */
const LONG_DATA_BYTES = 64;
/** Known by their bytes, in the order in which the service sends them; the last in encrypted streams only. */
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
  /** Base64, as the inside of a JSON string that may be copied; empty where it is absent or null. */
  readonly data = new TextPiece();
  /** The inside of a JSON string that may be copied; empty where it is absent or null. */
  readonly partitionKey = new TextPiece();
  /** Decimal digits. */
  readonly sequenceNumber = new TextPiece();
  arrivalMs = UNKNOWN_ARRIVAL_MS;

  readonly #json: JsonCursor;
  /** Whether the last payload was long: then `indexOf` goes for the end of the next one. */
  #expectLong = true;

  constructor(json: JsonCursor) {
    this.#json = json;
  }

  /** @throws InvalidResponse when it is no record. */
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
      `Kinesis answered with a record that has no sequence number, before byte ${json.pos}.`,
    );
  }

  /**
   * Whether the base64 text begins with the four bytes of a KPL aggregate, F3 89 9A C2: `84maw`, and a sixth character
   * whose upper two bits are the rest of C2 (`g` to `v`). An aggregate has more than 16 bytes behind them: 28 characters.
   */
  get mayBeAggregate(): boolean {
    const { source, start, length } = this.data;
    const { bytes } = source;
    if (bytes[start] !== 0x38 || length < 28) return false;
    if (bytes[start + 1] !== 0x34 || bytes[start + 2] !== 0x6d) return false;
    if (bytes[start + 3] !== 0x61 || bytes[start + 4] !== 0x77) return false;
    const sixth = bytes[start + 5] ?? 0;
    return sixth >= 0x67 && sixth <= 0x76;
  }

  /** Passes a name and its colon. Only an unknown one becomes text. */
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

  /** Whether a string comes; if not, passes the `null` that must. A name that comes twice: the last counts. */
  #isString(name: string, piece: TextPiece): boolean {
    if (this.#json.peek() === QUOTE) return true;
    nullOnly(this.#json.value(), name);
    piece.clear();
    return false;
  }

  /** Keeps the string that was just passed. */
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
    // Within a shard they have one length.
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
      `Kinesis answered with a record whose ApproximateArrivalTimestamp is no time: ${found}`,
    );
  }
}
