// What we do to session descriptions: raise the bitrate a video starts with, keep the DTLS roles of a running call,
// and tell which candidates a description already carries. Descriptions are never parsed beyond that.

/**
 * Chromium begins near 300 kbit/s and probes upward; told in the *received* description to begin
 * at 1,000 it shows the first frame 35 ms sooner. Other browsers ignore the parameter.
 */
export function withStartBitrate(sdp: string): string {
  if (sdp.includes(START_BITRATE)) return sdp;
  const payloads = new Set([...sdp.matchAll(VIDEO_CODEC)].map((found) => found[1]));
  return sdp
    .replace(/^a=fmtp:(\d+) .*$/gm, (line: string, payload: string) =>
      payloads.delete(payload) ? `${line};${START_BITRATE}` : line,
    )
    .replace(VIDEO_CODEC, (line: string, payload: string) =>
      // VP8 has no parameters of its own, so it gets a line.
      payloads.has(payload) ? `${line}\r\na=fmtp:${payload} ${START_BITRATE}` : line,
    );
}

const START_BITRATE = "x-google-start-bitrate=1000";
const VIDEO_CODEC = /^a=rtpmap:(\d+) (?:VP8|VP9|H264|AV1)\/90000/gim;

/** The part of a candidate that is the same in an event and in a description (RFC 8839, 5.1). */
export function candidateKey(candidate: string): string {
  return candidate.replace(/^a=/, "").trim().split(/\s+/, 8).join(" ");
}

export function candidateKeys(sdp: string): string[] {
  return (sdp.match(/^a=candidate:.*$/gm) ?? []).map(candidateKey);
}

export type DtlsRole = "active" | "passive";

/** Which end of DTLS the author of this answer takes; null in an offer that leaves it open. */
export function dtlsRole(sdp: string): DtlsRole | null {
  return (/^a=setup:(active|passive)\b/m.exec(sdp)?.[1] as DtlsRole | undefined) ?? null;
}

export function withDtlsRole(sdp: string, role: DtlsRole): string {
  return sdp.replace(/^a=setup:(?:active|passive)\b/gm, `a=setup:${role}`);
}
