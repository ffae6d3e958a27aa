// Tools beside the phone. A panel is {id, picture, words, mount(element, {live, store})}: `id` is its name in the address
// and in the rail, `words` the key of its label, and `mount` fills it when it is first opened.

import { faultsPanel } from "./faults.js";
import { wirePanel } from "./wire.js";

export const PANELS = [wirePanel, faultsPanel];
