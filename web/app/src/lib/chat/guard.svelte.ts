// Whether the stranger's picture may be seen, and whether a face is to be seen in one's own. The check itself comes when
// the first call stands; until then, and where it fails, everybody stays covered.
//
// What always holds: a picture is covered from the moment of the match, before a frame of it is there. What was found out
// about one stranger says nothing about the next.
import type * as Safety from "@visavis/client/safety";
import { askSite, type CoverPolicy } from "$lib/site/settings";
import { recall, remember } from "./memory";

interface Loaded {
  safety: typeof Safety;
  check: Safety.FaceCheck;
}

export class Guard {
  /** Of the operator. Until the server has said it, as it usually is. */
  policy = $state<CoverPolicy>("visitor");
  /** Of the visitor. */
  wanted = $state(recall().coverStrangers);
  /** Why the check does not work. */
  trouble = $state<Safety.CheckTrouble | null>(null);
  /** Nothing is to be seen of the visitor. */
  ownMissing = $state(false);
  /** The match in which a face is seen now, and the one that the visitor wants to see all the same. */
  #seenIn = $state<string | null>(null);
  #shownIn = $state<string | null>(null);

  isOn = $derived(this.policy === "on" || (this.policy === "visitor" && this.wanted));

  /** Who asks next waits for whoever asked before, so there is one at a time. */
  #check: Promise<Loaded | null> | null = null;
  #over = false;

  constructor() {
    void askSite().then((site) => (this.policy = site?.safety.cover ?? "visitor"));
  }

  covers(matchId: string): boolean {
    return this.isOn && this.#seenIn !== matchId && this.#shownIn !== matchId;
  }

  isShownAnyway(matchId: string): boolean {
    return this.#shownIn === matchId;
  }

  showAnyway(matchId: string): void {
    this.#shownIn = matchId;
  }

  setWanted(on: boolean): void {
    this.wanted = on;
    remember({ coverStrangers: on });
  }

  /** Looks for the stranger's face until the function that it returns is called. */
  watchStranger(matchId: string, video: HTMLVideoElement): () => void {
    this.trouble = null;
    const stop = this.#watch(({ safety, check }) =>
      check.watch(video, safety.STRANGER, {
        onPresence: (present) => (this.#seenIn = present ? matchId : null),
        onTrouble: (trouble) => (this.trouble = trouble),
      }),
    );
    return () => {
      stop();
      this.#seenIn = null;
    };
  }

  watchOwn(video: HTMLVideoElement): () => void {
    const stop = this.#watch(({ safety, check }) =>
      check.watch(video, safety.OWN, { onPresence: (present) => (this.ownMissing = !present) }),
    );
    return () => {
      stop();
      this.ownMissing = false;
    };
  }

  close(): void {
    this.#over = true;
    void this.#check?.then((loaded) => loaded?.check.close());
  }

  #watch(begin: (loaded: Loaded) => () => void): () => void {
    let stop: (() => void) | null = null;
    let over = false;
    void this.#loaded().then((loaded) => {
      if (loaded === null) this.trouble = "missing";
      else if (!over && !this.#over) stop = begin(loaded);
    });
    return () => {
      over = true;
      stop?.();
    };
  }

  /** What failed before is tried again: a network may be back. */
  #loaded(): Promise<Loaded | null> {
    const before = this.#check;
    const now = (before ?? Promise.resolve(null)).then((loaded) => {
      if (loaded && !loaded.check.failed) return loaded;
      loaded?.check.close();
      return import("@visavis/client/safety").then(
        (safety) => ({ safety, check: new safety.FaceCheck() }),
        () => null,
      );
    });
    this.#check = now;
    return now;
  }
}
