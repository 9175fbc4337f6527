// Unit tests read the page's sentences in English.
import { ready } from "../src/lib/messages.svelte";

await ready("common", "chat", "talk", "site", "test");
