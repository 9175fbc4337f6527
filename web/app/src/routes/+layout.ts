import { ready } from "$lib/messages.svelte";

export const prerender = true;
export const trailingSlash = "never";

export const load = () => ready("common");
