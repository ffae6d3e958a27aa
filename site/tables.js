// A wide table can be scrolled with the keyboard: the theme wraps it, and the wrapper takes the focus.
new MutationObserver(() => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    each.tabIndex = 0;
  }
}).observe(document.documentElement, { childList: true, subtree: true });
