// A picture for a report: made small, and encrypted in this browser for the moderators of the site, whose keys its settings name. The
// server cannot open it. Everything that this takes is loaded when a visitor asks for it.

const MAX_BYTES = 100_000;
const QUALITIES = [0.8, 0.6, 0.4];

export class Evidence {
  /** To look at: exactly what is encrypted. */
  url = $state<string | null>(null);
  failed = $state(false);
  /** Null: it did not work out, and the report goes without. */
  readonly sealed: Promise<Uint8Array | null>;

  constructor(picture: HTMLCanvasElement, recipients: readonly string[]) {
    this.sealed = this.#seal(picture, recipients).catch(() => {
      this.failed = true;
      return null;
    });
  }

  drop(): void {
    if (this.url !== null) URL.revokeObjectURL(this.url);
  }

  async #seal(picture: HTMLCanvasElement, recipients: readonly string[]): Promise<Uint8Array> {
    const [{ Encrypter }, jpeg] = await Promise.all([import("age-encryption"), smallJpeg(picture)]);
    const encrypter = new Encrypter();
    for (const recipient of recipients) encrypter.addRecipient(recipient);
    const sealed = await encrypter.encrypt(new Uint8Array(await jpeg.arrayBuffer()));
    this.url = URL.createObjectURL(jpeg);
    return sealed;
  }
}

async function smallJpeg(picture: HTMLCanvasElement): Promise<Blob> {
  for (const quality of QUALITIES) {
    const jpeg = await new Promise<Blob | null>((resolve) => picture.toBlob(resolve, "image/jpeg", quality));
    if (jpeg && jpeg.size <= MAX_BYTES) return jpeg;
  }
  throw new Error("The picture does not become small enough.");
}
