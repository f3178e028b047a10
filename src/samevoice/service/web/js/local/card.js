// @ts-check
/**
 * The card of a model, read from its file: what makes its features, and what its cosines mean.
 *
 * Source: the wire format of protocol buffers; `ModelProto.metadata_props` of ONNX.
 */

const KEY = "samevoice.card";
const METADATA = 14; // number of the field that holds the pairs of names and texts
const [VARINT, LONG, SIZED, SHORT] = [0, 1, 2, 5]; // kinds of fields

/** @typedef {{weights: number[], max_llr: number, durations: number[], rates: number[], thresholds: number[][], speaker_pairs: number, reached: number[]}} Calibration */
/** @typedef {{name: string, rate: number, dimension: number, frontend: {kind: string, bands: number}, window: {frames: number, hop: number}, level_dbfs: number | null, min_speech: number, calibration: Calibration | null, fingerprint: string}} Card */

/**
 * @param {Uint8Array} file of a model
 * @returns {Card}
 * @throws {Error} it carries no card
 */
export function cardOf(file) {
  const text = new TextDecoder();
  for (const [field, content] of fieldsOf(file)) {
    if (field !== METADATA) continue;
    const [key, value] = [...fieldsOf(content)].map(([, part]) => text.decode(part));
    if (key === KEY) return JSON.parse(value);
  }
  throw new Error("the model's file carries no card");
}

/** The fields of a message that have a size; the others are passed over. @param {Uint8Array} bytes @returns {Generator<[number, Uint8Array]>} */
function* fieldsOf(bytes) {
  let at = 0;

  function varint() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length) throw new Error("the model's file ends too early");
      const byte = bytes[at];
      at += 1;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === VARINT) varint();
    else if (kind === LONG) at += 8;
    else if (kind === SHORT) at += 4;
    else if (kind === SIZED) {
      const size = varint();
      at += size;
      yield [Math.floor(tag / 8), bytes.subarray(at - size, at)];
    } else throw new Error("the model's file is no ONNX model");
  }
}
