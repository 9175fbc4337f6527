// The page `/test`, pressed and read.

import type { Visitor } from "./visitor";

/** Line by line what the report says, by what stands before the colon. */
export async function connectionTest(visitor: Visitor): Promise<Record<string, string>> {
  await visitor.page.goto(`${visitor.site}/test`);
  await visitor.button("Start the test").click();
  await visitor.page.getByRole("heading", { name: "Report" }).waitFor();
  const report = await visitor.page.locator("pre").innerText();
  return Object.fromEntries(
    report.split("\n").map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]),
  );
}
