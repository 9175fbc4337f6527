// A stranger arrives while the visitor looks at another tab. The title says so always; a sound and a notification
// only where the visitor asked for them.

import { m } from "$lib/messages.svelte";

export interface Noticing {
  sound: boolean;
  notification: boolean;
}

/** Undone when the visitor looks, or the stranger is gone. */
export function announceArrival({ sound, notification }: Noticing): () => void {
  if (sound) chime();
  const shown = notification ? notify() : null;
  if (!shown) return () => undefined;
  const close = () => {
    document.removeEventListener("visibilitychange", onLook);
    shown.close();
  };
  const onLook = () => document.visibilityState === "visible" && close();
  document.addEventListener("visibilitychange", onLook);
  return close;
}

/** Whether the browser will show some; `unable`: it knows them, but not from a page. */
export type Permission = "granted" | "refused" | "unable";

/** Asks the visitor, so only after a press. */
export async function mayNotify(): Promise<Permission> {
  if (typeof Notification === "undefined") return "unable";
  try {
    if ((await Notification.requestPermission()) !== "granted") return "refused";
  } catch {
    return "refused";
  }
  return canConstruct() ? "granted" : "unable";
}

/** Only a try can tell. It may flash up, so it is made only where it may fail: Chrome on Android throws. */
function canConstruct(): boolean {
  if (!/Android/.test(navigator.userAgent)) return true;
  try {
    new Notification("Visavis", { tag: "visavis", silent: true }).close();
    return true;
  } catch {
    return false;
  }
}

export function canNotify(): boolean {
  return typeof Notification !== "undefined" && Notification.permission === "granted";
}

function notify(): Notification | null {
  if (!canNotify()) return null;
  try {
    const shown = new Notification(m.talk.arrival(), {
      body: m.talk.arrival_body(),
      tag: "visavis",
    });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
    return shown;
  } catch {
    return null; // Chrome on Android has them only for service workers
  }
}

let shared: AudioContext | null = null;

/** Made after a press, so the browser lets it sound. */
function soundContext(): AudioContext | null {
  if (typeof AudioContext === "undefined") return null;
  try {
    shared ??= new AudioContext();
    if (shared.state === "suspended") void shared.resume().catch(() => undefined);
    return shared;
  } catch {
    return null; // no sound device
  }
}

/** Two soft tones, made here: no file to load. */
export function chime(): void {
  const context = soundContext();
  if (!context) return;
  try {
    for (const [hertz, atS] of [
      [660, 0],
      [880, 0.15],
    ] as const) {
      const tone = context.createOscillator();
      const volume = context.createGain();
      const start = context.currentTime + atS;
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.15, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.3);
      tone.connect(volume).connect(context.destination);
      tone.start(start);
      tone.stop(start + 0.35);
    }
  } catch {
    // A sound that cannot be played is not worth a word.
  }
}
