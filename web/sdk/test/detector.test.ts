// The detector as it runs in a visitor's browser, on real pictures: its numbers are those of the library that the model was
// made for.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compiled, COMPILED } from "../scripts/kernels.js";
import { FILES } from "../scripts/face-model.js";
import { blazeFace } from "../src/safety/detector.js";
import { jsKernels, wasmKernels, type Kernels } from "../src/safety/kernels.js";
import { ModelError, Network, type GraphModel } from "../src/safety/network.js";
import { viewsOf } from "../src/safety/views.js";

const bytesOf = (name: string) => readFileSync(new URL(`../src/safety/model/${name}`, import.meta.url));
const model = JSON.parse(bytesOf("blazeface-front.json").toString()) as GraphModel;
const weights = Uint8Array.from(bytesOf("blazeface-front.bin")).buffer;

/** Squares that look like a face from afar, or like nothing: the same in every run. */
function drawn(paint: (x: number, y: number) => number): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(128 * 128 * 4).fill(255);
  for (let y = 0; y < 128; y++)
    for (let x = 0; x < 128; x++) pixels.fill(paint(x, y), (y * 128 + x) * 4, (y * 128 + x) * 4 + 3);
  return pixels;
}

test("the_model_is_the_one_that_its_origin_is_written_down_for", () => {
  for (const [name, hash] of Object.entries(FILES))
    expect(createHash("sha256").update(bytesOf(name)).digest("hex"), name).toBe(hash);
});

test("the_compiled_loops_are_those_of_their_source", async () => {
  expect(readFileSync(COMPILED, "utf8")).toBe(await compiled());
});

test("webassembly_and_javascript_see_the_same", () => {
  const outputs = (kernels: (floats: number) => Kernels) => {
    const network = new Network(model, weights, kernels);
    network.input.forEach((_, index) => (network.input[index] = Math.sin(index * index)));
    network.run();
    return ["Identity", "Identity_1", "Identity_2", "Identity_3"].flatMap((name) => [
      ...network.output(name),
    ]);
  };
  const [fast, plain] = [outputs(wasmKernels), outputs(jsKernels)];
  expect(fast).toHaveLength(896 * 17);
  fast.forEach((value, index) => expect(Math.abs(value - (plain[index] ?? NaN))).toBeLessThan(1e-3));
});

test("what_was_seen_before_changes_nothing", () => {
  const detector = blazeFace(model, weights);
  const [stripes, grey] = [drawn((x) => (x % 16 < 8 ? 255 : 0)), drawn(() => 128)];
  const first = detector.score(grey);
  detector.score(stripes);
  expect(detector.score(grey)).toBe(first);
  expect(first).toBeLessThan(0.5);
});

test("a_model_that_needs_more_is_refused_with_a_sentence", () => {
  const nodes = model.modelTopology.node;
  const changed = (op: string) => ({
    ...model,
    modelTopology: { node: nodes.map((node) => (node.op === "MaxPool" ? { ...node, op } : node)) },
  });
  expect(() => new Network(changed("Softmax"), weights)).toThrow(/is a Softmax, which is not known here/);
  expect(() => new Network(model, weights.slice(4))).toThrow(ModelError);
  expect(() => new Network(model, new ArrayBuffer(weights.byteLength + 4))).toThrow(/more weights/);
});

test("views_lie_inside_the_picture_upright_and_lying", () => {
  for (const [width, height] of [
    [640, 480],
    [480, 640],
    [2, 2],
  ] as const) {
    for (const view of viewsOf(width, height)) {
      expect(view.x).toBeGreaterThanOrEqual(0);
      expect(view.y).toBeGreaterThanOrEqual(0);
      expect(view.x + view.width).toBeLessThanOrEqual(width + 1e-9);
      expect(view.y + view.height).toBeLessThanOrEqual(height + 1e-9);
    }
  }
});
