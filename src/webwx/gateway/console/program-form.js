// The form of a program: to create one, and to change it.

import { accountName, listAccounts } from "./account-list.js";
import { adapterName } from "./adapter-words.js";
import { call, Problem } from "./api.js";
import { h } from "./dom.js";
import { choice, field, formPanel, partsOf, textInput } from "./forms.js";
import { t } from "./programs-words.js";

/** The adapter whose programs may need the owner's consent to their sends. */
const ASKING = "mcp";

/** Return the chats of a list as the API takes them: numbers as numbers. */
function chatsOf(text) {
  return partsOf(text).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function optionsOf(text) {
  try {
    const options = JSON.parse(text || "{}");
    if (options && typeof options === "object" && !Array.isArray(options)) return options;
  } catch {
    // the same as any other text that is no object
  }
  throw new Problem(0, { detail: t("optionsInvalid"), field: "options" });
}

/** Open the form; `done(answer)` gets the API's answer. `program` is the one to change, or null for a new one. */
export async function openProgramForm(frame, program, done) {
  const [accounts, { adapters }] = await Promise.all([listAccounts(), call("GET", "/adapters")]);
  if (accounts.length === 0) throw new Problem(0, { detail: t("needAccount") });
  if (adapters.length === 0) throw new Problem(0, { detail: t("noAdapters") });
  const name = textInput(program?.name ?? "", { required: true, maxlength: "100", autofocus: true });
  const adapter = choice(
    adapters.map((each) => [each.name, adapterName(each.name, each.title)]),
    program?.adapter ?? adapters[0].name,
  );
  const account = choice(
    accounts.map((each) => [each.number, accountName(each)]),
    program?.account ?? accounts[0].number,
  );
  const see = textInput((program?.see ?? ["filehelper"]).join(", "));
  const write = textInput((program?.write ?? ["filehelper"]).join(", "));
  const { confirm, ...others } = program?.options ?? {};
  const consent = choice(
    ["off", "phone", "client"].map((way) => [way, t(`consent.${way}`)]),
    confirm ?? "off",
  );
  const consentField = field(t("consent"), consent, t("consentHint"), "options.confirm");
  const options = h("textarea", { class: "input", rows: "3" });
  options.value = JSON.stringify(others);
  const fields = [
    field(t("name"), name, null, "name"),
    !program && field(t("adapter"), adapter, null, "adapter"),
    !program && accounts.length > 1 && field(t("account"), account, null, "account"),
    field(t("see"), see, t("chatsHint"), "see"),
    field(t("write"), write, t("chatsHint"), "write"),
    consentField,
  ];
  const showConsent = () => (consentField.hidden = adapter.value !== ASKING);
  adapter.addEventListener("change", showConsent);
  showConsent();
  const more = [field(t("options"), options, t("optionsHint"), "options")];
  const [title, words] = program ? [program.name, t("save")] : [t("newProgram"), t("create")];
  const submit = async () => {
    const body = {
      name: name.value.trim(),
      see: chatsOf(see.value),
      write: chatsOf(write.value),
      options: optionsOf(options.value),
    };
    if (adapter.value === ASKING) body.options.confirm = consent.value;
    if (program) return call("PATCH", `/programs/${program.id}`, body);
    return call("POST", "/programs", { ...body, adapter: adapter.value, account: Number(account.value) });
  };
  formPanel(frame, title, words, { fields, more, isChange: Boolean(program) }, submit, done);
}
