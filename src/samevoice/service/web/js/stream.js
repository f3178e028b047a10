// @ts-check
/**
 * Sound to the service while it comes, and what it finds in it back.
 */

const MOST_WAITING = 1 << 20; // bytes that the socket may hold back before sound is dropped: half a minute

/**
 * Open the stream. Sound that comes before the service is ready waits; sound that the line cannot take is dropped.
 * @param {{key?: string, rate: number, names?: boolean, coach?: boolean}} hello the first message
 * @param {(event: any) => void} onEvent told every event of the service, "problem" among them
 * @param {() => void} [onClose]
 * @returns {{send: (samples: Float32Array) => void, end: () => void, close: () => void}}
 */
export function openStream(hello, onEvent, onClose = () => undefined) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/v1/stream`);
  /** @type {ArrayBuffer[]} */
  let waiting = [];
  let ready = false;
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => socket.send(JSON.stringify(hello)));
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    if (event.event === "ready") {
      ready = true;
      for (const part of waiting) socket.send(part);
      waiting = [];
    }
    onEvent(event);
  });
  socket.addEventListener("close", () => onClose());
  return {
    send(samples) {
      const part = pcm16(samples).buffer;
      if (ready && socket.readyState === WebSocket.OPEN && socket.bufferedAmount < MOST_WAITING) socket.send(part);
      else if (!ready && waiting.length < 200) waiting.push(part);
    },
    end() {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ end: true }));
    },
    close() {
      socket.close();
    },
  };
}

/** Samples in [-1, 1] as 16-bit integers. @param {Float32Array} samples */
export function pcm16(samples) {
  const whole = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) whole[i] = Math.max(-32768, Math.min(32767, Math.round(samples[i] * 32768)));
  return whole;
}
