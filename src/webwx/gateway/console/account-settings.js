// The panels that add an account and change its settings.

import { hasJournal } from "./account-list.js";
import { t } from "./accounts-words.js";
import { call } from "./api.js";
import { h } from "./dom.js";
import { choice, field, formPanel, partsOf, textInput, ticks } from "./forms.js";

const KINDS = ["image", "video", "voice", "file", "sticker"];
const MEGABYTE = 1024 * 1024;

const NEW_ARCHIVE = { chats: "all", kinds: ["image"], max_size: 10 * MEGABYTE };

/** Return where an account can log in, each [value, words]; File Transfer Helper web is the first. */
export function hostOptions() {
  return ["filehelper", "web", "desktop"].map((profile) => [profile, t(`host_${profile}`)]);
}

/** Open the panel of a new account; `done(account)` gets it. */
export function openNewAccount(frame, done) {
  const name = textInput("", { required: true, maxlength: "40", autofocus: true });
  const host = choice([["", t("asGateway")], ...hostOptions()], "");
  const fields = [field(t("accountName"), name, t("nameHint"), "name")];
  const more = [field(t("host"), host, t("hostHint"), "settings.host")];
  const submit = () => call("POST", "/accounts", { name: name.value.trim(), settings: { host: host.value || null } });
  formPanel(frame, t("newAccount"), t("add"), { fields, more }, submit, done);
}

/** Open the panel; `done(account)` gets the changed account. */
export function openAccountSettings(frame, account, done) {
  const { host, keep, rate_limit: rateLimit } = account.settings;
  const label = textInput(account.label, { maxlength: "100", placeholder: account.name, autofocus: true });
  const present = account.host && !host ? ` (${t(`host_${account.host}`)})` : "";
  const hosts = choice(
    [["", t("asGateway") + present], ...hostOptions()],
    host ?? "",
  );
  hosts.disabled = hasJournal(account);
  const limits = choice([["", t("asGateway")], ["on", t("limitOn")], ["off", t("limitOff")]], rateLimit ?? "");
  const archive = archiveFields(keep);
  const fields = [
    field(t("label"), label, null, "label"),
    field(t("host"), hosts, t("hostHint"), "settings.host"),
    archive.elements,
    field(t("rateLimit"), limits, t("rateLimitHint"), "settings.rate_limit"),
  ];
  const submit = () => {
    const settings = { host: hosts.value || null, keep: archive.value(), rate_limit: limits.value || null };
    const body = { label: label.value.trim(), settings };
    return call("PATCH", `/accounts/${account.number}`, body);
  };
  formPanel(frame, t("settingsOf", { name: account.name }), t("save"), { fields }, submit, done);
}

/** Make the fields of the media archive; `value()` returns the setting. */
function archiveFields(keep) {
  const isOwn = keep !== null && keep !== "off";
  const present = isOwn ? keep : NEW_ARCHIVE;
  const chosen = choice(
    [["", t("asGateway")], ["off", t("keepNothing")], ["own", t("keepThese")]],
    isOwn ? "own" : (keep ?? ""),
  );
  const names = present.chats === "all" ? "" : [present.chats].flat().join(", ");
  const chats = textInput(names, { placeholder: t("allChats") });
  const kinds = ticks(
    t("kinds"),
    KINDS.map((kind) => [kind, t(kind)]),
    present.kinds,
    "settings.keep.kinds",
    { isRequired: true },
  );
  const megabytes = textInput(present.max_size / MEGABYTE, {
    type: "number", min: "0.001", max: "1024", step: "any", required: true,
  });
  const own = h(
    "div",
    { class: "form" },
    kinds.element,
    field(t("chats"), chats, t("chatsHint"), "settings.keep.chats"),
    field(t("megabytes"), megabytes, null, "settings.keep.max_size"),
  );
  const show = () => {
    own.hidden = chosen.value !== "own";
    // so that a hidden field does not hold the form
    kinds.element.disabled = own.hidden;
    megabytes.disabled = own.hidden;
  };
  chosen.addEventListener("change", show);
  show();
  return {
    elements: [field(t("keep"), chosen, t("keepHint"), "settings.keep"), own],
    value() {
      if (chosen.value !== "own") return chosen.value || null;
      const named = partsOf(chats.value);
      return {
        ...present,
        chats: named.length ? named : "all",
        kinds: kinds.values(),
        max_size: Math.round(Number(megabytes.value) * MEGABYTE),
      };
    },
  };
}
