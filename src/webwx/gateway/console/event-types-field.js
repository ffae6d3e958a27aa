// The field of a form that selects types of events: the chosen ones with their names, and an input that completes names.

import { h, iconButton } from "./dom.js";
import { t } from "./event-filter-words.js";
import { covers } from "./event-patterns.js";
import { FILTERS, typeName, typeOfName, typeWithName } from "./event-type-words.js";
import { field, partsOf, textInput } from "./forms.js";
import { KeyedList } from "./keyed-list.js";

const NAMES = "event-type-names";

/** Inputs that complete a text: a browser reports the choice of a suggestion as one of them, or as none. */
const COMPLETED = ["insertReplacementText", undefined];

/** Make the field for `types` of the API, patterns included. Returns {element, values()}; a text that is not added yet counts. */
export function eventTypesField(label, types) {
  let chosen = types;
  const list = h("ul", { class: "chosen-types", "aria-label": t("chosenTypes"), "aria-live": "polite" });
  const nodes = new KeyedList(list);
  const input = textInput("", { list: NAMES, on: { input: takeComplete, keydown: takeAtEnter } });
  const names = h("datalist", { id: NAMES }, FILTERS.map((type) => h("option", { value: typeName(type), label: type })));
  const element = field(label, input, t("typesHint"), "types");
  input.before(list);
  input.after(names);

  function values() {
    return partsOf(input.value).map(typeOfName).reduce(withType, chosen);
  }

  function take() {
    chosen = values();
    input.value = "";
    draw();
  }

  function takeComplete({ inputType, isComposing }) {
    const isChosen = COMPLETED.includes(inputType) && FILTERS.includes(typeOfName(input.value));
    if (!isComposing && (isChosen || /[,，、]$/.test(input.value))) take();
  }

  function takeAtEnter(event) {
    if (event.key !== "Enter" || event.isComposing || !input.value.trim()) return;
    event.preventDefault(); // which would send the form
    take();
  }

  function remove(type) {
    const at = chosen.indexOf(type);
    chosen = chosen.filter((each) => each !== type);
    draw();
    const next = list.children[Math.min(at, chosen.length - 1)];
    (next?.querySelector("button") ?? input).focus();
  }

  function chosenType(type) {
    const words = t("removeType", { type: typeName(type) });
    return h("li", {}, h("span", {}, typeWithName(type)), iconButton("close", words, () => remove(type)));
  }

  function draw() {
    nodes.show(chosen.map((type) => nodes.node(type, null, () => chosenType(type))));
  }

  draw();
  return { element, values };
}

/** Return types with one more, without those that it covers, and without patterns of which it is a part. */
function withType(types, added) {
  return [...types.filter((each) => !covers(each, added) && !covers(added, each)), added];
}
