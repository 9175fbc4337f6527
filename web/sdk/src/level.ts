// Who speaks: how loud both sides are, for an audio call, which has no faces to look at.
// Fetched when such a call stands. Reads only; where a browser says nothing there is null.

import type { AudioLevel, Environment } from "./types.js";

export interface LevelSource {
  stats(): Promise<RTCStatsReport>;
  receivers(): RTCRtpReceiver[];
  local(): MediaStream | null;
}

type Stat = Record<string, unknown> & { type: string };

const INTERVAL_MS = 200;

/** Returns what ends it. */
export function watchLevels(
  { setTimeout, clearTimeout }: Environment,
  source: LevelSource,
  onLevel: (level: AudioLevel) => void,
): () => void {
  let over = false;
  let timer = 0;
  const meter = new LocalMeter();
  const read = async () => {
    const report = await source.stats().catch(() => null);
    if (over) return;
    if (report) {
      const [you, stranger] = [audioLevel(report, "media-source"), audioLevel(report, "inbound-rtp")];
      onLevel({
        you: you ?? meter.read(source.local()),
        stranger: stranger ?? ofReceivers(source.receivers()),
      });
    }
    timer = setTimeout(() => void read(), INTERVAL_MS);
  };
  void read();
  return () => {
    over = true;
    clearTimeout(timer);
    meter.close();
  };
}

function audioLevel(report: RTCStatsReport, type: string): number | null {
  let level: number | null = null;
  report.forEach((entry: Stat) => {
    if (entry.type !== type || entry.kind !== "audio" || typeof entry.audioLevel !== "number") return;
    level = Math.max(level ?? 0, entry.audioLevel);
  });
  return level;
}

function ofReceivers(receivers: RTCRtpReceiver[]): number | null {
  const levels = receivers
    .filter(({ track }) => track.kind === "audio")
    .flatMap((receiver) => receiver.getSynchronizationSources?.() ?? [])
    .map(({ audioLevel }) => audioLevel ?? 0);
  return levels.length > 0 ? Math.max(...levels) : null;
}

/** Firefox says nothing of the microphone in its figures, so the sound itself is measured. */
class LocalMeter {
  #context: AudioContext | null = null;
  #analyser: AnalyserNode | null = null;
  #stream: MediaStream | null = null;

  read(stream: MediaStream | null): number | null {
    if (!stream || !("AudioContext" in globalThis) || stream.getAudioTracks().length === 0) return null;
    if (stream.getAudioTracks().every(({ enabled }) => !enabled)) return 0;
    try {
      if (stream !== this.#stream) {
        this.close();
        this.#stream = stream;
        this.#context = new AudioContext();
        this.#analyser = this.#context.createAnalyser();
        this.#context.createMediaStreamSource(stream).connect(this.#analyser);
      }
      const samples = new Float32Array(this.#analyser?.fftSize ?? 0);
      this.#analyser?.getFloatTimeDomainData(samples);
      return Math.min(
        1,
        samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
      );
    } catch {
      return null;
    }
  }

  close(): void {
    void this.#context?.close().catch(() => {});
    this.#context = this.#analyser = this.#stream = null;
  }
}
