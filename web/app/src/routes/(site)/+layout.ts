import { ready } from "$lib/messages.svelte";

export const load = () => ready("site");
