// Panels of horizontal bars, each panel with its own scale; a dashed line is what was aimed at. The colours follow the
// reader's scheme. The same figures give the same bytes.

const [WIDTH, LEFT, RIGHT, ROW, BAR] = [720, 260, 96, 28, 15];
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .small { font-size: 11px; fill: #57606a }
  .end { text-anchor: end }
  .axis { stroke: #d0d7de }
  .bar { fill: #8c959f }
  .ours { fill: #0f766e }
  .aim { stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .axis { stroke: #3d444d }
    .bar { fill: #656c76 }
    .ours { fill: #2dd4bf }
    .aim { stroke: #ffa657 }
  }
`;

/** `panels`: [{ title, unit, bars: [{ label, value, ours }], aim? }]; bars without a value are left out. */
export function plot({ title, summary, note, panels }) {
  const parts = [`<text class="title" x="16" y="28">${escaped(title)}</text>`];
  let y = 40;
  for (const { title: name, unit, bars, aim } of panels) {
    const measured = bars.filter(({ value }) => Number.isFinite(value));
    if (measured.length === 0) continue;
    const most = Math.max(...measured.map(({ value }) => value), aim?.value ?? 0);
    const x = (value) => LEFT + (value / most) * (WIDTH - LEFT - RIGHT);
    y += 22;
    parts.push(`<text class="small" x="16" y="${y}">${escaped(name)}</text>`);
    y += 8;
    const top = y;
    for (const bar of measured) {
      parts.push(...row(bar, unit, x, y));
      y += ROW;
    }
    parts.push(`<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${top}" y2="${y}"/>`);
    if (aim) {
      const at = x(aim.value).toFixed(1);
      parts.push(`<line class="aim" x1="${at}" x2="${at}" y1="${top}" y2="${y}"/>`);
      parts.push(`<text class="small" x="${at}" y="${y + 12}" text-anchor="middle">${escaped(aim.label)}</text>`);
      y += 14;
    }
  }
  const height = y + 34;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(summary)}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    `<text class="small" x="16" y="${height - 10}">${escaped(note)}</text>`,
    "</svg>\n",
  ].join("\n");
}

function row({ label, value, ours }, unit, x, y) {
  const middle = y + ROW / 2;
  const width = Math.max(x(value) - LEFT, 1).toFixed(1);
  return [
    `<text class="end" x="${LEFT - 10}" y="${middle + 4}">${escaped(label)}</text>`,
    `<rect class="${ours ? "ours" : "bar"}" x="${LEFT}" y="${middle - BAR / 2}" width="${width}" height="${BAR}" rx="2"/>`,
    `<text class="title" x="${(x(value) + 8).toFixed(1)}" y="${middle + 4}">${shown(value)} ${escaped(unit)}</text>`,
  ];
}

/** Three digits that count. */
function shown(value) {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
