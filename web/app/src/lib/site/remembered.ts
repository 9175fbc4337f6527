// What the privacy page names of all that this browser remembers; each value is there, and none besides.
import type { Remembered } from "$lib/chat/memory";
import { m } from "$lib/messages.svelte";

export const REMEMBERED: Record<keyof Remembered | "language", () => string> = {
  interests: () => m.site.remembers_interests(),
  languages: () => m.site.remembers_languages(),
  volume: () => m.site.remembers_volume(),
  cameraId: () => m.site.remembers_camera(),
  microphoneId: () => m.site.remembers_microphone(),
  hideAddress: () => m.site.remembers_hiding(),
  autoContinue: () => m.site.remembers_continue(),
  escapeIsNext: () => m.site.remembers_escape(),
  coverStrangers: () => m.site.remembers_cover(),
  arrivalSound: () => m.site.remembers_sound(),
  arrivalNotification: () => m.site.remembers_notification(),
  language: () => m.site.remembers_language(),
  blocks: () => m.site.remembers_blocks(),
};
