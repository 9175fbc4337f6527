// Runs a small convolutional network in the format of TensorFlow.js graph models, one picture at a time.
//
// A face detector for 128 × 128 pixels needs some 20 million multiplications and ten kinds of operation. This is less than a
// library for networks takes to load, so there is none. A model with other operations is refused when it is loaded.
// Numbers are 32-bit floats, channels last. All tensors lie in one memory that is laid out once.

import { kernelsFor, SLACK, type Kernels } from "./kernels.js";

/** `model.json`, as far as it is read. */
export interface GraphModel {
  modelTopology: { node: GraphNode[] };
  weightsManifest: { weights: { name: string; shape: number[]; dtype: string }[] }[];
}

interface GraphNode {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, Attribute>;
}

interface Attribute {
  s?: string;
  shape?: { dim: { size: string }[] };
  list?: { i?: string[]; s?: string[] };
}

interface Tensor {
  /** Of a picture: height, width, channels. */
  shape: number[];
  /** Its place in the memory, in floats. */
  at: number;
  length: number;
}

type Step = (kernels: Kernels) => void;

/** What is wrong with a model, in a sentence. */
export class ModelError extends Error {}

export class Network {
  readonly #steps: Step[];
  readonly #tensors: Map<string, Tensor>;
  readonly #input: Tensor;
  readonly #kernels: Kernels;

  /** Throws a `ModelError` where the two files do not fit each other, or need an operation that is not here. */
  constructor(model: GraphModel, weights: ArrayBuffer, kernels: (floats: number) => Kernels = kernelsFor) {
    const plan = new Plan(model, weights);
    this.#steps = plan.steps;
    this.#tensors = plan.tensors;
    this.#input = plan.input;
    this.#kernels = kernels(plan.floats);
    for (const { at, values } of plan.constants) this.#kernels.memory.set(values, at);
  }

  get kind(): Kernels["kind"] {
    return this.#kernels.kind;
  }

  /** Height, width, channels. */
  get inputShape(): readonly number[] {
    return this.#input.shape;
  }

  /** To be filled before `run`. */
  get input(): Float32Array {
    return this.#values(this.#input);
  }

  run(): void {
    for (const step of this.#steps) step(this.#kernels);
  }

  /** What the last `run` left there. Valid until the next. */
  output(name: string): Float32Array {
    return this.#values(this.#tensors.get(name) ?? fail(`there is no output ${name}`));
  }

  #values({ at, length }: Tensor): Float32Array {
    return this.#kernels.memory.subarray(at, at + length);
  }
}

/** Where everything lies, and what is done in which order. */
class Plan {
  readonly steps: Step[] = [];
  readonly tensors = new Map<string, Tensor>();
  readonly constants: { at: number; values: Float32Array }[] = [];
  floats = 0;
  readonly input: Tensor;
  /** How many read each tensor: one that is read once may be overwritten by whoever reads it. */
  readonly #readers = new Map<string, number>();
  readonly #weights: Map<string, Weights>;

  constructor({ modelTopology, weightsManifest }: GraphModel, weights: ArrayBuffer) {
    this.#weights = readWeights(weightsManifest, weights);
    const nodes = modelTopology.node.filter(({ op }) => op !== "Const");
    for (const name of nodes.flatMap(({ input = [] }) => input))
      this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    let input: Tensor | undefined;
    for (const node of nodes) {
      if (node.op === "Placeholder") {
        const dims = (node.attr?.shape?.shape?.dim ?? []).map(({ size }) => Number(size));
        input = this.#tensor(dims.slice(1));
        this.tensors.set(node.name, input);
      } else this.tensors.set(node.name, this.#build(node));
    }
    this.input = input ?? fail("there is no input");
  }

  #build(node: GraphNode): Tensor {
    switch (node.op) {
      case "_FusedConv2D":
        return this.#convolution(node);
      case "DepthwiseConv2dNative":
        return this.#depthwise(node);
      case "MaxPool":
        return this.#maxPool(node);
      case "AddV2":
        return this.#addition(node);
      case "Relu":
        return this.#relu(node);
      case "Pad":
        return this.#padChannels(node);
      case "Identity":
      case "Reshape":
        return this.#read(node, 0);
      default:
        return fail(`${node.name} is a ${node.op}, which is not known here`);
    }
  }

  /** With bias, with or without a Relu. */
  #convolution(node: GraphNode): Tensor {
    const filter = this.#constant(node, 1);
    const [side = 0, across = 0, depth = 0, wide = 0] = filter.shape;
    const fused = (node.attr?.fused_ops?.list?.s ?? []).map(text);
    if (side !== across || fused[0] !== "BiasAdd" || fused.length > 2 || (fused[1] ?? "Relu") !== "Relu")
      return fail(
        `${node.name} is a convolution with ${fused.join(" and ")} and a window of ${side} × ${across}`,
      );
    const least = fused.length === 2 ? 0 : -Infinity;
    const filterStep = Math.ceil(wide / 8) * 8;
    const rows = this.#place(widened(filter.values, wide, filterStep));
    const bias = this.#place(widened(this.#constant(node, 2).values, wide, filterStep));
    const { from, windows } = this.#windows(node, side);
    const out = this.#tensor([windows.rows, windows.columns, wide]);
    const line = (from.shape[1] ?? 0) * depth;
    this.steps.push(({ dense }) =>
      dense(from.at, rows, bias, out.at, windows, side, line, side * depth, wide, filterStep, least),
    );
    return out;
  }

  /** Each channel by itself. */
  #depthwise(node: GraphNode): Tensor {
    const filter = this.#constant(node, 1);
    const [side = 0, across = 0, depth = 0, multiplier = 0] = filter.shape;
    if (side !== across || multiplier !== 1)
      return fail(`${node.name} has a window of ${side} × ${across} and makes ${multiplier} channels of one`);
    const at = this.#place(filter.values);
    const { from, windows } = this.#windows(node, side);
    const out = this.#tensor([windows.rows, windows.columns, depth]);
    const line = (from.shape[1] ?? 0) * depth;
    this.steps.push(({ depthwise }) => depthwise(from.at, at, out.at, windows, side, line, depth));
    return out;
  }

  #maxPool(node: GraphNode): Tensor {
    const [, side = 0, across = 0] = numbersOf(node, "ksize");
    const { from, windows } = this.#windows(node, side);
    const [height = 0, width = 0, depth = 0] = from.shape;
    // It would have to leave out what is padded; none of the models here needs that.
    if (side !== across || from !== this.#read(node, 0)) return fail(`${node.name} pools beyond an edge`);
    const out = this.#tensor([windows.rows, windows.columns, depth]);
    this.steps.push(({ memory }) => {
      memory.fill(-Infinity, out.at, out.at + out.length);
      for (let y = 0, to = out.at; y < windows.rows; y++) {
        for (let x = 0; x < windows.columns; x++, to += depth) {
          const start = from.at + y * windows.rowStep + x * windows.columnStep;
          for (let pixel = 0; pixel < side * side; pixel++) {
            const at = start + (Math.floor(pixel / side) * width + (pixel % side)) * depth;
            for (let c = 0; c < depth; c++) {
              const value = memory[at + c] as number;
              if (value > (memory[to + c] as number)) memory[to + c] = value;
            }
          }
        }
      }
    });
    if (height < windows.rows) return fail(`${node.name} makes a picture larger`);
    return out;
  }

  #addition(node: GraphNode): Tensor {
    const [a, b] = [this.#read(node, 0), this.#read(node, 1)];
    if (a.length !== b.length) return fail(`${node.name} adds tensors of different size`);
    const out = this.#isFree(node, 0) ? a : this.#isFree(node, 1) ? b : this.#tensor(a.shape);
    this.steps.push(({ add }) => add(a.at, b.at, out.at, out.length));
    return out;
  }

  #relu(node: GraphNode): Tensor {
    const from = this.#read(node, 0);
    const out = this.#isFree(node, 0) ? from : this.#tensor(from.shape);
    this.steps.push(({ relu }) => relu(from.at, out.at, out.length));
    return out;
  }

  /** Further channels of zeros behind those that are there. */
  #padChannels(node: GraphNode): Tensor {
    const from = this.#read(node, 0);
    const by = this.#constant(node, 1).values;
    const further = by.at(-1) ?? 0;
    if (by.slice(0, -1).some((each) => each !== 0)) return fail(`${node.name} pads more than channels`);
    const [height = 0, width = 0, depth = 0] = from.shape;
    const out = this.#tensor([height, width, depth + further]);
    this.steps.push(({ memory }) => {
      for (let pixel = 0; pixel < height * width; pixel++) {
        const [at, to] = [from.at + pixel * depth, out.at + pixel * (depth + further)];
        for (let c = 0; c < depth; c++) memory[to + c] = memory[at + c] as number;
      }
    });
    return out;
  }

  /** What a window of `side` × `side` slides over, with zeros around it where it reaches beyond the edges. */
  #windows(node: GraphNode, side: number) {
    const from = this.#read(node, 0);
    const [height = 0, width = 0, depth = 0] = from.shape;
    const [, stride = 1, across = 1] = numbersOf(node, "strides");
    if (stride !== across || numbersOf(node, "dilations").some((each) => each !== 1))
      return fail(`${node.name} has uneven strides or dilations`);
    const padding = text(node.attr?.padding?.s);
    if (padding !== "SAME" && padding !== "VALID") return fail(`${node.name} pads by ${padding}`);
    const [rows, columns] = [height, width].map((size) =>
      Math.ceil((padding === "SAME" ? size : size - side + 1) / stride),
    ) as [number, number];
    // As TensorFlow does it: what is odd goes to the end.
    const [further, aside] = [height, width].map((size, axis) =>
      Math.max(0, ((axis === 0 ? rows : columns) - 1) * stride + side - size),
    ) as [number, number];
    const padded =
      further + aside === 0 ? from : this.#padEdges(from, { height: height + further, width: width + aside });
    const wide = padded.shape[1] ?? 0;
    const windows = { rows, columns, rowStep: stride * wide * depth, columnStep: stride * depth };
    return { from: padded, windows };
  }

  #padEdges(from: Tensor, size: { height: number; width: number }): Tensor {
    const [height = 0, width = 0, depth = 0] = from.shape;
    const out = this.#tensor([size.height, size.width, depth]);
    const [top, left] = [Math.floor((size.height - height) / 2), Math.floor((size.width - width) / 2)];
    const first = out.at + (top * size.width + left) * depth;
    this.steps.push(({ memory }) => {
      for (let y = 0; y < height; y++) {
        const at = from.at + y * width * depth;
        memory.copyWithin(first + y * size.width * depth, at, at + width * depth);
      }
    });
    return out;
  }

  #read(node: GraphNode, index: number): Tensor {
    const name = node.input?.[index] ?? fail(`${node.name} reads too little`);
    return this.tensors.get(name) ?? fail(`${node.name} comes before ${name}`);
  }

  #constant(node: GraphNode, index: number): Weights {
    const name = node.input?.[index] ?? fail(`${node.name} reads too little`);
    return this.#weights.get(name) ?? fail(`there are no weights for ${name}`);
  }

  #isFree(node: GraphNode, index: number): boolean {
    return this.#readers.get(node.input?.[index] ?? "") === 1;
  }

  #tensor(shape: number[]): Tensor {
    const length = shape.reduce((product, size) => product * size, 1);
    const at = this.floats;
    // Every tensor begins where four numbers can be read at once.
    this.floats += Math.ceil((length + SLACK) / 4) * 4;
    return { shape, at, length };
  }

  #place(values: Float32Array): number {
    const { at } = this.#tensor([values.length]);
    this.constants.push({ at, values });
    return at;
  }
}

interface Weights {
  shape: number[];
  values: Float32Array;
}

function readWeights(manifest: GraphModel["weightsManifest"], bytes: ArrayBuffer): Map<string, Weights> {
  const found = new Map<string, Weights>();
  let at = 0;
  for (const { name, shape, dtype } of manifest.flatMap((group) => group.weights)) {
    const length = shape.reduce((product, size) => product * size, 1);
    if (at + 4 * length > bytes.byteLength) return fail("the weights are cut short");
    if (dtype !== "float32" && dtype !== "int32") return fail(`the weights of ${name} are ${dtype}`);
    const read = dtype === "int32" ? Int32Array : Float32Array;
    found.set(name, { shape, values: Float32Array.from(new read(bytes, at, length)) });
    at += 4 * length;
  }
  if (at !== bytes.byteLength) return fail("there are more weights than it names");
  return found;
}

/** The same rows with zeros behind each. */
function widened(values: Float32Array, wide: number, to: number): Float32Array {
  const out = new Float32Array((values.length / wide) * to);
  for (let row = 0; row < values.length / wide; row++)
    out.set(values.subarray(row * wide, (row + 1) * wide), row * to);
  return out;
}

function numbersOf(node: GraphNode, name: string): number[] {
  return (node.attr?.[name]?.list?.i ?? []).map(Number);
}

/** Strings of a graph are Base64. */
function text(coded: string | undefined): string {
  return atob(coded ?? "");
}

function fail(why: string): never {
  throw new ModelError(`This model cannot be run: ${why}.`);
}
