// The form of a webhook: to create one, and to change it.

import { listAccounts } from "./account-list.js";
import { call } from "./api.js";
import { eventFilter } from "./event-filter.js";
import { eventTypesField } from "./event-types-field.js";
import { choice, field, formPanel, textInput, tick } from "./forms.js";
import { t } from "./webhooks-words.js";

const NEW = {
  name: "",
  url: "",
  types: ["message.*"],
  chats: [],
  is_self: null,
  accounts: null,
  format: "event",
  ordering: "chat",
  report: false,
  allow_private: false,
};

/** Open the form; `done(answer)` gets the API's answer. `webhook` is the one to change, or null for a new one. */
export async function openWebhookForm(frame, webhook, done) {
  const present = webhook ?? NEW;
  const name = textInput(present.name, { required: true, maxlength: "100", autofocus: true });
  const url = textInput(present.url, { required: true, type: "url", placeholder: "https://" });
  const isPrivate = tick(t("allowPrivate"), present.allow_private, "allow_private");
  const types = eventTypesField(t("types"), present.types);
  const filter = eventFilter(await listAccounts(), present);
  const format = choice(
    [
      ["event", t("formatEvent")],
      ["cloudevents", t("formatCloud")],
    ],
    present.format,
  );
  const ordering = choice(
    ["chat", "account", "none"].map((each) => [each, t(`ordering_${each}`)]),
    present.ordering,
  );
  const report = tick(t("report"), present.report, "report");
  const fields = [
    field(t("name"), name, null, "name"),
    field(t("url"), url, null, "url"),
    isPrivate.element,
    types.element,
  ];
  const more = [
    filter.elements,
    field(t("format"), format, null, "format"),
    field(t("ordering"), ordering, t("orderingHint"), "ordering"),
    report.element,
  ];
  const [title, words] = webhook ? [webhook.name, t("save")] : [t("newWebhook"), t("create")];
  const submit = () => {
    const body = {
      name: name.value.trim(),
      url: url.value.trim(),
      types: types.values(),
      format: format.value,
      ordering: ordering.value,
      report: report.isTicked(),
      allow_private: isPrivate.isTicked(),
      ...filter.body(),
    };
    return webhook ? call("PATCH", `/webhooks/${webhook.id}`, body) : call("POST", "/webhooks", body);
  };
  formPanel(frame, title, words, { fields, more, isChange: Boolean(webhook) }, submit, done);
}
