// What `@visavis/client` offers: a client, its types, its error class.

import { VisavisClient } from "./client.js";
import type { Client, ClientOptions } from "./types.js";

export { VisavisClient } from "./client.js";
export { now } from "./clock.js";
export { ClientError } from "./errors.js";
export type * from "./types.js";

export function createClient(options: ClientOptions = {}): Client {
  return new VisavisClient(options);
}
