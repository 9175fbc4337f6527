// What the parts that load later are given; a file of its own, so that naming them does not load them.
import type { ChatKind, ChatMessage, ChatState, MatchInfo, VisavisError } from "@visavis/client";
import type { Component } from "svelte";
import type { Conversation } from "./conversation.svelte";
import type { Guard } from "./guard.svelte";
import type { WayOn } from "./troubles";

export interface TalkProps extends Record<string, unknown> {
  conversation: Conversation;
  /** What full screen shows. */
  frame: HTMLElement | undefined;
  /** The status line takes the upper half of the stage. */
  staged: boolean;
}

export interface StatusProps extends Record<string, unknown> {
  state: ChatState;
  /** How many were here when this search began to say so. */
  firstOnline: number | null;
  troubleTitle: string | undefined;
}

export interface NoticeProps extends Record<string, unknown> {
  error: VisavisError;
  kind: ChatKind;
  /** The operator hides everybody's address. */
  enforced: boolean;
  onway: (way: WayOn) => void;
  /** What the status line says meanwhile. */
  title?: string | undefined;
}

export interface MoreProps extends Record<string, unknown> {
  conversation: Conversation;
  kind: ChatKind;
  guard: Guard;
  /** Nothing of the stranger may be seen now. */
  covered: boolean;
  /** The stranger's picture, for a window of its own. */
  stranger: HTMLVideoElement | undefined;
  /** What full screen shows. */
  frame: HTMLElement | undefined;
  onclose: () => void;
}

/** Whom Report was pressed for, and what there was of them at that moment. */
export interface Reported {
  match: MatchInfo;
  /** What the two have written. */
  lines: readonly ChatMessage[];
  /** Null: they could not be seen. */
  picture: HTMLCanvasElement | null;
}

export interface ReportProps extends Record<string, unknown> {
  conversation: Conversation;
  about: Reported;
  onsent: () => void;
  onclose: () => void;
}

/** Loaded behind the form. */
export interface Later {
  /** From Start to Stop. */
  Talk: Component<TalkProps>;
  Notice: Component<NoticeProps, object, "title">;
  Status: Component<StatusProps>;
  /** Undone by what it returns. */
  followKeyboard: (frame: HTMLElement) => () => void;
}
