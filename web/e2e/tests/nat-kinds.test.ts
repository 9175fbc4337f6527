// The laboratory's routers are what they are called: judged by coturn's own NAT discovery (RFC 5780).

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AccessName } from "../natlab/access";
import { listening } from "../natlab/coturn";
import { Internet, type Host } from "../natlab/internet";
import { Laboratory, skipped } from "../natlab/laboratory";

const KINDS: Partial<Record<AccessName, [mapping: string, filtering: string]>> = {
  open: ["Endpoint Independent", "Endpoint Independent"],
  "full cone": ["Endpoint Independent", "Endpoint Independent"],
  "address-restricted": ["Endpoint Independent", "Address Dependent"],
  "port-restricted": ["Endpoint Independent", "Address and Port Dependent"],
  symmetric: ["Address and Port Dependent", "Address and Port Dependent"],
};

describe.skipIf(skipped("the routers of the NAT laboratory"))("the routers", () => {
  let laboratory: Laboratory;
  let internet: Internet;
  let judge: Host;
  const address = () => judge.addresses.ipv4 ?? "";
  beforeAll(async () => {
    laboratory = new Laboratory();
    internet = new Internet(laboratory);
    judge = internet.host("stun.visavis-lab.net");
    // The discovery asks from two addresses and two ports of each.
    const second = "82.250.9.10";
    judge.namespace.ip(`addr add ${second}/32 dev lo`);
    internet.core.ip(`route add ${second}/32 via ${address()}`);
    const flags = [
      "-n",
      "-z",
      "--no-tls",
      "--no-dtls",
      "--no-cli",
      "--log-file=/dev/null",
      "--no-stdout-log",
    ];
    const child = judge.namespace.spawn("turnserver", [...flags, "-L", address(), "-L", second], {
      stdio: "ignore",
    });
    await listening(judge.namespace, [3478, 3479], child);
  });
  afterAll(() => laboratory?.close());

  test.concurrent.each(Object.entries(KINDS))("%s", async (name, [mapping, filtering]) => {
    const { machine } = internet.home(name as AccessName, "judged");
    const { said } = await machine.outcome("turnutils_natdiscovery", ["-m", "-f", address()]);
    expect(said).toContain(`NAT with ${mapping} Mapping!`);
    expect(said).toContain(`NAT with ${filtering} Filtering!`);
  });

  test.concurrent("UDP blocked", async () => {
    const { machine } = internet.home("UDP blocked", "judged");
    const { said } = await machine.outcome("turnutils_natdiscovery", ["-m", address()]);
    expect(said).toMatch(/receive timeout/i);
    expect(said).not.toMatch(/response 1/);
    expect(await reaches(machine, 3478)).toBe(true);
  });

  test.concurrent("443 only", async () => {
    const { machine } = internet.home("443 only", "judged");
    judge.namespace.spawn(process.execPath, ["-e", "require('node:net').createServer().listen(443)"]);
    await expect.poll(() => reaches(machine, 443), { timeout: 15_000 }).toBe(true);
    expect(await reaches(machine, 3478)).toBe(false);
  });

  async function reaches(from: { outcome: Host["namespace"]["outcome"] }, port: number): Promise<boolean> {
    const script = `const s=require('node:net').connect(${port},'${address()}');
      s.once('connect',()=>process.exit(0));s.once('error',()=>process.exit(1));setTimeout(()=>process.exit(1),1500)`;
    return (await from.outcome(process.execPath, ["-e", script])).code === 0;
  }
});
