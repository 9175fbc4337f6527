// A visitor's browser on a machine of the laboratory.

import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { CHROMIUM, launchChromium } from "../kit/browsers";
import { countConnections } from "../kit/census";
import { noteStatus, Visitor } from "../kit/visitor";
import type { Pem } from "./coturn";
import type { Namespace } from "./namespace";

/** Chromium with a camera, that trusts `pem` as if an authority had signed it. */
export function browserAt(machine: Namespace, pem: Pem, folder: string): Promise<Browser> {
  const trusts = `--ignore-certificate-errors-spki-list=${fingerprint(pem)}`;
  return launchChromium("fake", [trusts], machine.wrapper(CHROMIUM, folder));
}

/** A visitor of `site` in such a browser. */
export async function visitorIn(browser: Browser, name: string, site: string): Promise<Visitor> {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 }, locale: "en-GB" });
  context.setDefaultTimeout(30_000);
  await context.addInitScript(noteStatus);
  await context.addInitScript(countConnections);
  return new Visitor(await context.newPage(), name, site);
}

/** What Chromium calls a certificate whose faults it shall overlook. */
function fingerprint({ cert }: Pem): string {
  const { publicKey } = new X509Certificate(readFileSync(cert));
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");
}
