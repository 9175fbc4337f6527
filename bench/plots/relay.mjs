// What a relayed packet costs and how long it is under way: a panel for each load.
import { plot } from "./bars.mjs";

export function relayPlot({ table, cpu_to_coturn, command }) {
  const loads = [...new Set(table.map(({ load }) => load))];
  const name = { visavis: "Visavis", coturn: "coturn" };
  const bars = (load, field) =>
    table
      .filter((row) => row.load === load)
      .map((row) => ({
        label: `${name[row.relay]}, ${row.clients} clients`,
        value: row[field],
        ours: row.relay === "visavis",
      }));
  const [first] = loads;
  const ratios = cpu_to_coturn.map(({ clients, load, ratio }) => `${ratio} (${clients} clients, ${load})`);
  return plot({
    title: "What a relayed packet costs, beside coturn",
    summary: `CPU of a packet, of coturn's: ${ratios.join(", ")}`,
    note: `1,000 bytes; one core for the relay, one for the load, the same run. ${command}`,
    panels: [
      ...loads.map((load) => ({
        title: `CPU of the relay per packet, ${load}`,
        unit: "µs",
        bars: bars(load, "relay_cpu_us_per_packet"),
      })),
      { title: `From sender to receiver, median, ${first}`, unit: "µs", bars: bars(first, "delay_us_p50") },
    ],
  });
}
