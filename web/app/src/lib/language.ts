// Which language the page speaks: the one chosen here before, else the first of the browser's that there is.

const KEY = "visavis-language";

/** `de-AT` finds `de`; English where nothing fits. */
export function languageFor(wanted: readonly (string | null)[], offered: readonly string[]): string {
  const languages = wanted.map((tag) => tag?.split("-")[0]?.toLowerCase() ?? "");
  return languages.find((language) => offered.includes(language)) ?? "en";
}

/** Not every browser can say it of a language (`Intl.Locale.getTextInfo`). */
export function directionOf(language: string): "ltr" | "rtl" {
  return /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/.test(language) ? "rtl" : "ltr";
}

export function recallLanguage(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // forbidden
  }
}

export function rememberLanguage(language: string): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Full or forbidden: it holds for this visit.
  }
}
