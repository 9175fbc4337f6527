import type { ChatState } from "@visavis/client";

/** Whether the status is the main thing to see, and not a line above a picture or a talk. */
export function statusOnStage(state: ChatState): boolean {
  switch (state.name) {
    case "permission":
    case "waiting":
      return true;
    case "connecting":
    case "ended":
      return state.wishes.kind === "video";
    case "reconnecting":
      return state.match === null;
    default:
      return false;
  }
}
