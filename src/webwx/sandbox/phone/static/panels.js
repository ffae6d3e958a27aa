// Tools that stand beside the phone. A panel is {id, picture, words, mount(element, {live, store})}: `id` is its place in
// the address and in the rail, `words` the key of its name, `mount` fills it when it is opened first.

import { faultsPanel } from "./faults.js";
import { wirePanel } from "./wire.js";

export const PANELS = [wirePanel, faultsPanel];
