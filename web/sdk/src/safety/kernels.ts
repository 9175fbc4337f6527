// The loops in which a network spends its time: as WebAssembly with SIMD (kernels.wat), and the same in JavaScript for
// browsers and pages that do not allow it, five to ten times slower. Positions, steps and sizes count floats in one memory.

import { KERNELS } from "./kernels.gen.js";

/** Room behind every tensor: a kernel works on several channels at once, and writes beyond the last. */
export const SLACK = 8;

/** Which part of a tensor each pixel of the output sees: windows that lie `rowStep` and `columnStep` apart. */
export interface Windows {
  rows: number;
  columns: number;
  rowStep: number;
  columnStep: number;
}

export interface Kernels {
  readonly kind: "wasm" | "js";
  readonly memory: Float32Array;
  /**
   * Each of `wide` outputs is its bias and the window's values, weighed; at least `least`. A window is `runs` runs of `run`
   * values, `runStep` apart. The filter has a row for each value, `filterStep` (a multiple of eight) wide.
   */
  dense(
    from: number,
    filter: number,
    bias: number,
    to: number,
    windows: Windows,
    runs: number,
    runStep: number,
    run: number,
    wide: number,
    filterStep: number,
    least: number,
  ): void;
  /** Each of `depth` channels by itself, in a square of `side` pixels whose lines are `lineStep` apart. */
  depthwise(
    from: number,
    filter: number,
    to: number,
    windows: Windows,
    side: number,
    lineStep: number,
    depth: number,
  ): void;
  add(a: number, b: number, to: number, length: number): void;
  relu(from: number, to: number, length: number): void;
}

/** Memory for `floats` numbers and the loops over it. */
export function kernelsFor(floats: number): Kernels {
  try {
    return wasmKernels(floats);
  } catch {
    // An old browser, or a page whose content policy forbids it.
    return jsKernels(floats);
  }
}

type Exports = Record<"dense" | "depthwise" | "add" | "relu", (...numbers: number[]) => void>;

const BYTES = 4;
const PAGE = 65_536;

export function wasmKernels(floats: number): Kernels {
  const code = Uint8Array.from(atob(KERNELS), (letter) => letter.charCodeAt(0));
  const own = new WebAssembly.Memory({ initial: Math.ceil((floats * BYTES) / PAGE) });
  // Under a kilobyte: compiled at once, also where that is only allowed for small modules.
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { page: { memory: own } });
  const call = instance.exports as Exports;
  return {
    kind: "wasm",
    memory: new Float32Array(own.buffer),
    dense: (from, filter, bias, to, windows, runs, runStep, run, wide, filterStep, least) =>
      call.dense(
        ...[from, filter, bias, to].map(inBytes),
        ...inBytesOf(windows),
        ...[runs, runStep * BYTES, run * BYTES, wide * BYTES, filterStep * BYTES, least],
      ),
    depthwise: (from, filter, to, windows, side, lineStep, depth) =>
      call.depthwise(
        ...[from, filter, to].map(inBytes),
        ...inBytesOf(windows),
        ...[side, lineStep * BYTES, depth * BYTES],
      ),
    add: (a, b, to, length) => call.add(...[a, b, to, length].map(inBytes)),
    relu: (from, to, length) => call.relu(...[from, to, length].map(inBytes)),
  };
}

function inBytes(floats: number): number {
  return floats * BYTES;
}

function inBytesOf({ rows, columns, rowStep, columnStep }: Windows): number[] {
  return [rows, columns, rowStep * BYTES, columnStep * BYTES];
}

export function jsKernels(floats: number): Kernels {
  const memory = new Float32Array(floats);
  const at = (index: number): number => memory[index] as number;
  return {
    kind: "js",
    memory,
    dense(from, filter, bias, to, windows, runs, runStep, run, wide, filterStep, least) {
      for (let y = 0; y < windows.rows; y++) {
        for (let x = 0; x < windows.columns; x++, to += wide) {
          const start = from + y * windows.rowStep + x * windows.columnStep;
          for (let o = 0; o < wide; o += 4) {
            // Four at a time, so that each value is read once for them. What is too much is overwritten by the next pixel.
            let a = at(bias + o);
            let b = at(bias + o + 1);
            let c = at(bias + o + 2);
            let d = at(bias + o + 3);
            let w = filter + o;
            for (let r = 0; r < runs; r++) {
              const end = start + r * runStep + run;
              for (let p = end - run; p < end; p++, w += filterStep) {
                const value = at(p);
                a += value * at(w);
                b += value * at(w + 1);
                c += value * at(w + 2);
                d += value * at(w + 3);
              }
            }
            memory[to + o] = a > least ? a : least;
            memory[to + o + 1] = b > least ? b : least;
            memory[to + o + 2] = c > least ? c : least;
            memory[to + o + 3] = d > least ? d : least;
          }
        }
      }
    },
    depthwise(from, filter, to, windows, side, lineStep, depth) {
      for (let y = 0; y < windows.rows; y++) {
        for (let x = 0; x < windows.columns; x++, to += depth) {
          const start = from + y * windows.rowStep + x * windows.columnStep;
          for (let c = 0; c < depth; c++) {
            let sum = 0;
            for (let j = 0, w = filter + c; j < side; j++) {
              for (let i = 0, p = start + c + j * lineStep; i < side; i++, p += depth, w += depth)
                sum += at(p) * at(w);
            }
            memory[to + c] = sum;
          }
        }
      }
    },
    add(a, b, to, length) {
      for (let index = 0; index < length; index++) memory[to + index] = at(a + index) + at(b + index);
    },
    relu(from, to, length) {
      for (let index = 0; index < length; index++) memory[to + index] = Math.max(0, at(from + index));
    },
  };
}
