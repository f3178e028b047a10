// @ts-check
/**
 * A sound as a WAV file, and a file as samples to draw.
 */

import { pcm16 } from "./stream.js";

const HEADER = 44; // bytes
const PICTURE_RATE = 16_000;
const MOST_DRAWN = 16 * 2 ** 20; // bytes of a file; a larger one is sent without a picture

/**
 * PCM with 16 bits, one channel.
 * @param {Float32Array} samples in [-1, 1]
 * @param {number} rate
 * @returns {Blob}
 */
export function wav(samples, rate) {
  const header = new DataView(new ArrayBuffer(HEADER));
  const size = 2 * samples.length;
  /** @param {number} at @param {string} word */
  const put = (at, word) => [...word].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  put(0, "RIFF");
  header.setUint32(4, HEADER - 8 + size, true);
  put(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  put(36, "data");
  header.setUint32(40, size, true);
  return new Blob([header, pcm16(samples)], { type: "audio/wav" });
}

/**
 * The samples of a file as far as this browser can read it; null where it cannot: the service reads more formats.
 * @param {Blob} file
 * @returns {Promise<Float32Array | null>}
 */
export async function drawn(file) {
  if (file.size > MOST_DRAWN) return null;
  try {
    const sound = await new OfflineAudioContext(1, 1, PICTURE_RATE).decodeAudioData(await file.arrayBuffer());
    return sound.getChannelData(0);
  } catch {
    return null;
  }
}
