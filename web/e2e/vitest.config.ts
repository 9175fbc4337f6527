import { defineConfig } from "vitest/config";

// `vitest run` is the tests; `--mode picture` takes the README's picture with the same stage, `--mode natlab` makes the
// table of docs/nat.md.
const INCLUDE: Record<string, string[]> = { picture: ["picture.ts"], natlab: ["natlab/matrix.ts"] };

export default defineConfig(({ mode }) => ({
  test: {
    environment: "node",
    include: INCLUDE[mode] ?? ["tests/**/*.test.ts"],
    // Every file has a server, browsers and network namespaces of its own. Most of them wait for something to be noticed,
    // so two at a time take little more than half as long; with three, two cores no longer keep up with the pictures.
    maxWorkers: 2,
    // Of tests that say themselves that they may run together: they wait more than they work.
    maxConcurrency: 20,
    // Pictures, sound and sockets of two cores that are busy with others: what fails once is tried again, and says so ("retry x1").
    // It counts as a bug all the same.
    retry: 1,
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 30_000,
    teardownTimeout: 15_000,
    reporters: ["verbose"],
  },
}));
