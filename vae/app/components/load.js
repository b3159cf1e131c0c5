// How Streamlit comes to a component's module. This is in the head of each page, so that what a rerun sends again is no
// more than its name.

// `version` and `file` say where the module is; what Streamlit runs at each update of the component is its default export.
window.componentOf = (version, file) => {
  const newest = new WeakMap(); // place on the page -> the update that came last

  return async (component) => {
    const place = component.parentElement;
    newest.set(place, component);
    [...place.children].find((child) => child.getAttribute("role") === "alert")?.remove();
    let module;
    try {
      module = await import(new URL(`components/${version}/${file}`, document.baseURI).href);
    } catch (error) {
      console.error(error);
      const sentence = document.createElement("p");
      sentence.setAttribute("role", "alert");
      sentence.textContent =
        "This part of the page did not come: the server may have been updated since the page was opened. Reload the page.";
      place.append(sentence);
      return undefined;
    }
    // Streamlit ends what a newer update has overtaken, or what is not on the page any more: it is not begun.
    return newest.get(place) === component && place.isConnected ? module.default(component) : undefined;
  };
};
