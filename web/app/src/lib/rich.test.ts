import { expect, test } from "vitest";
import { piecesOf } from "./rich";

test("a_message_falls_into_its_words_and_what_its_tags_hold", () => {
  expect(piecesOf("Agree to the <rules>five rules</rules>, and <b>go</b>")).toEqual([
    { text: "Agree to the ", tag: null },
    { text: "five rules", tag: "rules" },
    { text: ", and ", tag: null },
    { text: "go", tag: "b" },
  ]);
});

test("a_tag_with_nothing_in_it_is_a_place", () => {
  expect(piecesOf("<list></list>.")).toEqual([
    { text: "", tag: "list" },
    { text: ".", tag: null },
  ]);
});

test("what_is_no_pair_of_tags_is_text", () => {
  expect(piecesOf("1 < 2 <b> </i>")).toEqual([{ text: "1 < 2 <b> </i>", tag: null }]);
});
