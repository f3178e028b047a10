// @ts-check
/* global AudioWorkletProcessor, registerProcessor */
/**
 * Runs in the audio thread: hands on what the microphone gives, in parts of 64 ms at 16 kHz.
 */

const SIZE = 1024; // samples

class Tap extends AudioWorkletProcessor {
  part = new Float32Array(SIZE);
  filled = 0;

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const channel = inputs[0][0];
    if (!channel) return true; // the microphone is not connected yet
    for (let from = 0; from < channel.length; ) {
      const some = channel.subarray(from, from + SIZE - this.filled);
      this.part.set(some, this.filled);
      this.filled += some.length;
      from += some.length;
      if (this.filled === SIZE) {
        this.port.postMessage(this.part, [this.part.buffer]);
        this.part = new Float32Array(SIZE);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
