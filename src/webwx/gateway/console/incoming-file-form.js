// The form of a rule that saves incoming files: to create one, and to change it.

import { listAccounts } from "./account-list.js";
import { call } from "./api.js";
import { eventFilter } from "./event-filter.js";
import { field, formPanel, textInput, ticks } from "./forms.js";
import { t } from "./incoming-files-words.js";

const KINDS = ["file", "image", "video", "voice", "sticker"];
const MEGABYTE = 1024 * 1024;

const NEW = {
  name: "",
  folder: "",
  pattern: "{date} {name}",
  chats: ["filehelper"],
  is_self: null,
  accounts: null,
  kinds: ["file", "image", "video"],
  max_bytes: 100 * MEGABYTE,
};

/** Open the form; `done(rule)` gets the API's answer. `rule` is the one to change, or null for a new one. */
export async function openRuleForm(frame, root, rule, done) {
  const present = rule ?? NEW;
  const name = textInput(present.name, { required: true, maxlength: "100", autofocus: true });
  const folder = textInput(present.folder, { maxlength: "400" });
  const pattern = textInput(present.pattern, { required: true, maxlength: "200" });
  const filter = eventFilter(await listAccounts(), present);
  const kinds = ticks(
    t("kinds"),
    KINDS.map((kind) => [kind, t(kind)]),
    present.kinds,
    "kinds",
    { isRequired: true },
  );
  const limits = { type: "number", min: "0.001", max: "1024", step: "any", required: true };
  const megabytes = textInput(present.max_bytes / MEGABYTE, limits);
  const fields = [
    field(t("name"), name, null, "name"),
    field(t("folder"), folder, t("folderHint", { root }), "folder"),
    filter.elements,
  ];
  const more = [
    field(t("pattern"), pattern, t("patternHint"), "pattern"),
    kinds.element,
    field(t("megabytes"), megabytes, null, "max_bytes"),
  ];
  const [title, words] = rule ? [rule.name, t("save")] : [t("newRule"), t("create")];
  const submit = () => {
    const body = {
      name: name.value.trim(),
      folder: folder.value.trim(),
      pattern: pattern.value.trim(),
      kinds: kinds.values(),
      max_bytes: Math.round(Number(megabytes.value) * MEGABYTE),
      ...filter.body(),
    };
    const path = "/incoming-file-rules";
    return rule ? call("PATCH", `${path}/${rule.id}`, body) : call("POST", path, body);
  };
  formPanel(frame, title, words, { fields, more, isChange: Boolean(rule) }, submit, done);
}
