// What `@visavis/client/safety` offers: whether a face is to be seen in a video. It runs in the visitor's browser, says only
// whether there is one, and keeps nothing. Load it when a call stands: `await import("@visavis/client/safety")`.

export { FaceCheck, type FaceCheckOptions, type Listener } from "./safety/check.js";
export type { Detector } from "./safety/detector.js";
export type { CheckTrouble, ModelAddress } from "./safety/messages.js";
export { OWN, STRANGER, type PresenceRules } from "./safety/presence.js";
