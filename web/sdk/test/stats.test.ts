import { describe, expect, test } from "vitest";
import { readPath } from "../src/path.js";
import { quality } from "../src/quality.js";
import { readTraffic } from "../src/stats.js";

const report = (entries: Record<string, Record<string, unknown>>) =>
  new Map(Object.entries(entries)) as unknown as RTCStatsReport;

describe("the path of a call", () => {
  test("is read from the nominated pair where there is no transport entry", () => {
    const path = readPath(
      report({
        failed: { type: "candidate-pair", nominated: true, state: "failed", localCandidateId: "no" },
        pair: {
          type: "candidate-pair",
          nominated: true,
          state: "succeeded",
          localCandidateId: "local",
          remoteCandidateId: "remote",
        },
        local: { type: "local-candidate", candidateType: "host", protocol: "tcp", address: "name.local" },
        remote: { type: "remote-candidate", candidateType: "relay", address: "2001:db8::1" },
      }),
    );
    expect(path).toEqual({
      path: "relay",
      local_type: "host",
      remote_type: "relay",
      protocol: "tcp",
      family: "ipv6",
    });
  });

  test("names how our own relay is reached", () => {
    const path = readPath(
      report({
        pair: { type: "candidate-pair", nominated: true, state: "succeeded", localCandidateId: "local" },
        local: { type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls" },
      }),
    );
    expect(path).toEqual({ path: "relay", local_type: "relay", protocol: "tls" });
  });

  test("is direct when nothing is known", () => {
    expect(readPath(report({}))).toEqual({ path: "direct" });
  });
});

describe("quality", () => {
  const traffic = (packetsReceived: number, packetsLost: number, roundTripMs: number | null) => ({
    bytesReceived: 0,
    packetsReceived,
    packetsLost,
    roundTripMs,
  });

  test("is of the last interval only", () => {
    expect(quality(traffic(1_000, 900, 20), traffic(1_100, 900, 20))).toEqual({
      level: "good",
      roundTripMs: 20,
      lossRatio: 0,
    });
  });

  test("falls with loss and with delay", () => {
    expect(quality(traffic(0, 0, 20), traffic(95, 5, 20)).level).toBe("fair");
    expect(quality(traffic(0, 0, 20), traffic(90, 10, 20)).level).toBe("poor");
    expect(quality(traffic(0, 0, 20), traffic(100, 0, 300)).level).toBe("fair");
    expect(quality(traffic(0, 0, 20), traffic(100, 0, 600)).level).toBe("poor");
  });

  test("does not count losses that were taken back, or an interval without packets", () => {
    expect(quality(traffic(100, 10, null), traffic(200, 5, null)).lossRatio).toBe(0);
    expect(quality(traffic(100, 10, null), traffic(100, 10, null)).lossRatio).toBeNull();
  });

  test("counts the streams where the pair has no bytes", () => {
    expect(
      readTraffic(
        report({
          a: { type: "inbound-rtp", bytesReceived: 5 },
          b: { type: "inbound-rtp", bytesReceived: 7 },
        }),
      ).bytesReceived,
    ).toBe(12);
  });
});
