// The form of a receiver: to create one, and to change it.

import { accountName, listAccounts } from "./account-list.js";
import { call, Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { choice, field, formPanel, textInput, tick } from "./forms.js";
import { t } from "./receivers-words.js";

/** Kinds whose clients sign their requests. */
const SIGNED = ["dingtalk", "feishu", "github", "grafana", "json"];

/** Open the form; `done(answer)` gets the API's answer. `receiver` is the one to change, or null for a new one. */
export async function openReceiverForm(frame, receiver, done) {
  const [accounts, { kinds }] = await Promise.all([listAccounts(), call("GET", "/receiver-kinds")]);
  if (accounts.length === 0) throw new Problem(0, { detail: t("needAccount") });
  const kind = choice(
    kinds.map((each) => [each, t(`kind_${each}`)]),
    receiver?.kind ?? "ntfy",
  );
  const name = textInput(receiver?.name ?? "", { required: true, maxlength: "100", autofocus: true });
  const account = choice(
    accounts.map((each) => [each.number, accountName(each)]),
    receiver?.account ?? accounts[0].number,
  );
  const to = textInput(receiver?.to ?? "filehelper", { required: true, maxlength: "200" });
  const limits = { type: "number", min: "1", max: "60", required: true };
  const perMinute = textInput(receiver?.messages_per_minute ?? 10, limits);
  const zone = textInput(receiver?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone, { maxlength: "200" });
  const holds = tick(t("holds"), receiver?.holds ?? true, "holds");
  const secret = textInput("", { maxlength: "200" });
  const template = h("textarea", { class: "input", rows: "3" });
  template.value = receiver?.template ?? "";
  const allowsGet = tick(t("allowsGet"), receiver?.allows_get ?? false, "allows_get");
  const own = h("div", { class: "form" });

  function showOwn() {
    const hint = receiver?.has_secret ? t("secretKept") : t("secretHint");
    fill(
      own,
      SIGNED.includes(kind.value) && field(t("secret"), secret, hint, "secret"),
      kind.value === "json" && [field(t("template"), template, t("templateHint"), "template"), allowsGet.element],
    );
  }

  kind.addEventListener("change", showOwn);
  showOwn();
  const fields = [
    field(t("name"), name, null, "name"),
    !receiver && field(t("kind"), kind, null, "kind"),
    !receiver && accounts.length > 1 && field(t("account"), account, null, "account"),
    own,
  ];
  const more = [
    field(t("to"), to, t("toHint"), "to"),
    field(t("perMinute"), perMinute, t("perMinuteHint"), "messages_per_minute"),
    field(t("zone"), zone, t("zoneHint"), "zone"),
    holds.element,
  ];
  const [title, words] = receiver ? [receiver.name, t("save")] : [t("newReceiver"), t("create")];
  const submit = () => {
    const body = {
      name: name.value.trim(),
      to: to.value.trim(),
      messages_per_minute: Number(perMinute.value),
      zone: zone.value.trim(),
      holds: holds.isTicked(),
    };
    if (SIGNED.includes(kind.value) && secret.value) body.secret = secret.value;
    if (kind.value === "json") Object.assign(body, { template: template.value, allows_get: allowsGet.isTicked() });
    if (receiver) return call("PATCH", `/receivers/${receiver.id}`, body);
    return call("POST", "/receivers", { ...body, kind: kind.value, account: Number(account.value) });
  };
  formPanel(frame, title, words, { fields, more, isChange: Boolean(receiver) }, submit, done);
}
