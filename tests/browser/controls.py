"""The controls of a page, in all its shadow roots: what a visitor without a mouse must come to."""

from playwright.sync_api import Locator, Page

# Every control that can be seen and used is kept in `window.controls` and described as [name, group]; of a group with
# roving focus, radios and the like, the keyboard stops at one and arrow keys lead to the others.
LIST = """
() => {
  const roots = [document];
  for (let i = 0; i < roots.length; i++)
    for (const e of roots[i].querySelectorAll("*")) if (e.shadowRoot) roots.push(e.shadowRoot);
  const wanted = `a[href], button, input, select, textarea, summary, [tabindex="0"], [role=slider], [role=radio],
    [role=checkbox], [role=switch], [role=tab], [role=application], [role=combobox], [role=button], [role=link]`;
  const above = (e) => e.parentElement ?? e.getRootNode().host;
  const hidden = (e) => {
    for (let one = e; one; one = above(one)) if (one.ariaHidden === "true" || one.inert) return true;
    const { width, height } = e.getBoundingClientRect();
    return !width || !height || e.disabled || !e.checkVisibility({ visibilityProperty: true, opacityProperty: false });
  };
  const group = (e) => e.closest("[role=radiogroup], [role=tablist], [role=toolbar], [role=listbox]");
  // a select box's arrow opens what the box itself opens, and a word of the glossary is a stop once
  const second = (e) => e.tabIndex < 0 && (e.closest("[data-testid=stSelectbox]") || e.matches(".word"));
  window.controls = roots.flatMap((root) => [...root.querySelectorAll(wanted)]).filter((e) => !hidden(e) && !second(e));
  window.groups = window.controls.map(group);
  return window.controls.map((e, i) => [
    `${e.tagName.toLowerCase()} ${e.getAttribute("role") ?? ""} ${e.dataset.testid ?? ""} ` +
      `"${(e.ariaLabel ?? e.textContent).trim().slice(0, 40)}"`,
    window.groups.indexOf(window.groups[i]) === i || !window.groups[i] ? i : window.groups.indexOf(window.groups[i]),
    window.groups[i] !== null,
  ]);
}
"""

# What has the focus, in whatever shadow root.
ACTIVE = """
() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  return e;
}
"""
FOCUSED = f"() => {{ const e = ({ACTIVE})(); return [window.controls.indexOf(e), !e || e === document.body]; }}"


def controls(page: Page) -> list[tuple[str, int, bool]]:
    """Name of each control, the index of the first of its group, and whether it has a group at all."""
    return [tuple(one) for one in page.evaluate(LIST)]


def settled(page: Page) -> list[tuple[str, int, bool]]:
    """The same, once nothing is added any more: components mount after the script."""
    before, found = None, controls(page)
    while found != before:
        page.wait_for_timeout(700)
        before, found = found, controls(page)
    return found


def missed(page: Page) -> tuple[int, list[str]]:
    """Press Tab through the page, once around: how many controls had the focus, and the names of those that no key
    leads to.
    """
    found = settled(page)
    page.evaluate("() => { document.activeElement?.blur(); getSelection().removeAllRanges(); }")
    reached: set[int] = set()
    for _ in range(2 * len(found) + 20):
        page.keyboard.press("Tab")
        at, nowhere = page.evaluate(FOCUSED)
        if at in reached or (nowhere and reached):
            break
        if at >= 0:
            reached.add(at)
    groups = {found[i][1] for i in reached if found[i][2]}
    return len(reached), [
        name for i, (name, group, grouped) in enumerate(found) if i not in reached and not (grouped and group in groups)
    ]


def by_number(page: Page) -> Locator:
    """Explore's sliders of the latents, which stand one click behind those with names; the topmost."""
    page.get_by_role("button", name="By number").click()
    return page.locator("[data-testid^=latent-]").first
