// The result as a picture: a bar to the median, a line from p10 to p90. Its colours follow the reader's scheme.

const PANELS = [
  {
    title: "Server and visitors on one machine",
    bars: [
      { name: "floor", label: "two connections in one page" },
      { name: "classic", label: "offer after the match" },
      { name: "ticket", label: "offer in the ticket" },
    ],
  },
  {
    title: "Server 50 ms away, visitors direct",
    bars: [
      { name: "classic_50", label: "offer after the match" },
      { name: "ticket_50", label: "offer in the ticket" },
    ],
  },
];
const [WIDTH, LEFT, RIGHT, ROW, BAR] = [720, 220, 70, 34, 16];
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .small { font-size: 11px; fill: #57606a }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .grid { stroke: #d0d7de }
  .bar { fill: #8c959f }
  .ours { fill: #0f766e }
  .range { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .bar { fill: #656c76 }
    .ours { fill: #2dd4bf }
    .range { stroke: #e6edf3 }
  }
`;

export function plot({ cases, samples }) {
  const most = Math.max(...Object.values(cases).map(({ frame }) => frame.p90));
  const step = most > 500 ? 200 : 100;
  const end = Math.ceil(most / step) * step;
  const x = (ms) => LEFT + (ms / end) * (WIDTH - LEFT - RIGHT);
  const parts = [];
  let y = 30;
  parts.push(
    `<text class="title" x="16" y="${y}">From the match to the stranger's first picture, on both sides</text>`,
  );
  y += 14;
  const top = y;
  for (const { title, bars } of PANELS) {
    y += 22;
    parts.push(`<text class="small" x="16" y="${y}">${title}</text>`);
    y += 10;
    for (const { name, label } of bars) {
      parts.push(...row({ ...cases[name].frame, label, ours: name.startsWith("ticket") }, x, y));
      y += ROW;
    }
  }
  const grid = [];
  for (let ms = 0; ms <= end; ms += step) {
    grid.push(`<line class="grid" x1="${x(ms)}" x2="${x(ms)}" y1="${top}" y2="${y}"/>`);
    grid.push(`<text class="small middle" x="${x(ms)}" y="${y + 16}">${ms} ms</text>`);
  }
  const note = `Median of ${samples}; the line goes from the 10th to the 90th percentile. Chromium, 640×480. bench/first-frame`;
  const height = y + 46;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>Milliseconds from the match to the first frame: ${summary(cases)}</title>`,
    `<style>${STYLE}</style>`,
    ...grid,
    ...parts,
    `<text class="small" x="16" y="${height - 10}">${note}</text>`,
    "</svg>\n",
  ].join("\n");
}

function row({ median, p10, p90, label, ours }, x, y) {
  const middle = y + ROW / 2;
  return [
    `<text class="end" x="${LEFT - 10}" y="${middle + 4}">${label}</text>`,
    `<rect class="${ours ? "ours" : "bar"}" x="${LEFT}" y="${middle - BAR / 2}" width="${(x(median) - LEFT).toFixed(1)}" height="${BAR}" rx="2"/>`,
    `<line class="range" x1="${x(p10).toFixed(1)}" x2="${x(p90).toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
    `<text class="title" x="${(x(Math.max(median, p90)) + 8).toFixed(1)}" y="${middle + 4}">${median}</text>`,
  ];
}

function summary(cases) {
  return Object.entries(cases)
    .map(([name, { frame }]) => `${name.replace("_", " with ")} ${frame.median}`)
    .join(", ");
}
