import { expect, test } from "vitest";
import { startsWith } from "./entrance";

const ours = new URL("https://chat.example/");
const link = (address: string) => new URL(address, ours);

test("a_link_of_our_first_page_starts_with_its_kind", () => {
  for (const kind of ["video", "audio", "text"] as const) {
    expect(startsWith({ url: link(`/chat?kind=${kind}&start`), from: ours, byLink: true })).toBe(kind);
  }
});

test("a_link_of_another_site_or_an_address_that_was_typed_shows_the_form", () => {
  const url = link("/chat?kind=video&start");
  expect(startsWith({ url, from: null, byLink: true })).toBeNull();
  expect(startsWith({ url, from: new URL("https://other.example/"), byLink: true })).toBeNull();
});

test("so_do_back_a_reload_and_the_link_without_the_word", () => {
  expect(startsWith({ url: link("/chat?kind=video&start"), from: ours, byLink: false })).toBeNull();
  expect(startsWith({ url: link("/chat?kind=video"), from: ours, byLink: true })).toBeNull();
  expect(startsWith({ url: link("/chat?kind=dance&start"), from: ours, byLink: true })).toBeNull();
});
