// How loud a stream is, ten times a second, for a call without pictures. Null where the browser does not say.

const EVERY_MS = 100;
/** Below this it is the room, not a voice. */
const QUIET_DB = -55;
const LOUD_DB = -15;

/** 0 (silence) to 1 (loud), as the ear counts. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (db - QUIET_DB) / (LOUD_DB - QUIET_DB)));
}

/** Falls more slowly than it rises, so that a meter can be read. */
export function eased(before: number, now: number): number {
  return Math.max(now, before * 0.7);
}

let shared: AudioContext | null = null;

/** Made at the first call; Start was pressed by then, so the browser lets it run. */
export function soundContext(): AudioContext | null {
  if (typeof AudioContext === "undefined") return null;
  try {
    shared ??= new AudioContext();
    if (shared.state === "suspended") void shared.resume().catch(() => undefined);
    return shared;
  } catch {
    return null; // no sound device, or too many contexts
  }
}

/** Calls back until it is stopped. */
export function watchLevel(stream: MediaStream, onLevel: (level: number) => void): () => void {
  const context = soundContext();
  if (!context || stream.getAudioTracks().length === 0) return () => undefined;
  try {
    const source = context.createMediaStreamSource(stream);
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let level = 0;
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      onLevel((level = eased(level, levelOf(samples))));
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
      source.disconnect();
    };
  } catch {
    return () => undefined;
  }
}
