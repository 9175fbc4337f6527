// Waiting for the world, with an end and a sentence.

/** Asks again and again until `ask` gives something; throws, with `what` did not happen, when the time is over. */
export async function answers<T>(
  withinMs: number,
  what: string,
  ask: () => T | Promise<T>,
): Promise<NonNullable<T>> {
  for (const endMs = Date.now() + withinMs; ;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() >= endMs) throw new Error(`Not within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
