// What the Escape key means at this moment. Browsers use it to leave full screen and to close dialogs, and
// input methods to give up a composition; only when none of these wants it, it means Next.

export interface KeyPress {
  key: string;
  /** 229 is what some browsers report instead of `isComposing` for the key that ends a composition. */
  keyCode: number;
  isComposing: boolean;
  repeat: boolean;
  defaultPrevented: boolean;
}

export interface Surroundings {
  dialogOpen: boolean;
  fullScreen: boolean;
  escapeIsNext: boolean;
  canGoNext: boolean;
  /** Something is written and not sent. The first Esc keeps it and says so. */
  unsentDraft: boolean;
}

export type EscapeMeaning = "nothing" | "keepDraft" | "next";

export function meaningOf(press: KeyPress, around: Surroundings): EscapeMeaning {
  if (press.key !== "Escape" || press.repeat || press.defaultPrevented) return "nothing";
  if (isComposing(press) || around.dialogOpen || around.fullScreen) return "nothing";
  if (!around.escapeIsNext || !around.canGoNext) return "nothing";
  return around.unsentDraft ? "keepDraft" : "next";
}

/** Enter sends, Shift+Enter begins a new line, and Enter inside a composition only ends that. */
export function meansSend(press: KeyPress & { shiftKey: boolean }): boolean {
  return press.key === "Enter" && !press.shiftKey && !isComposing(press);
}

export function isComposing(press: Pick<KeyPress, "isComposing" | "keyCode">): boolean {
  return press.isComposing || press.keyCode === 229;
}
