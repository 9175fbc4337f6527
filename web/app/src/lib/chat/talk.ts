// What the parts that load later are given; a file of its own, so that naming them does not load them.
import type { ChatKind } from "@visavis/client";
import type { Conversation } from "./conversation.svelte";

export interface TalkProps extends Record<string, unknown> {
  conversation: Conversation;
  /** What full screen shows. */
  frame: HTMLElement | undefined;
  /** The status line takes the upper half of the stage. */
  staged: boolean;
}

export interface MoreProps extends Record<string, unknown> {
  conversation: Conversation;
  kind: ChatKind;
  /** The stranger's picture, for a window of its own. */
  stranger: HTMLVideoElement | undefined;
  /** What full screen shows. */
  frame: HTMLElement | undefined;
  onclose: () => void;
}
