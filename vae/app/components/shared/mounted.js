// One instrument for each place on the page where Streamlit mounts a component, with its styles and its data.

import { stopOnce } from "./dom.js";
import { sheetsOf } from "./styles.js";

const LAB = ["lab.css", "answers.css", "map.css", "journey.css", "posterior.css", "narrow.css"]; // in this order

// For the whole tab: after an update of the server a place may hold an instrument of the version before.
const places = (window.instruments ??= new WeakMap());

// One instrument's, and what of its data is here: see `_news` in vae/app/components/__init__.py.
class Held {
  /**
   * @param {(parent: Node) => Instrument} make
   * @param {HTMLElement | ShadowRoot} parent
   */
  constructor(make, parent) {
    this.make = make;
    this.parent = parent;
    /** @type {Instrument | null} */
    this.instrument = null;
    this.edition = null; // of the whole data
    this.whole = null;
    this.told = null; // which edition Python knows to be here
  }

  /** @param {Component} component */
  update(component) {
    const { edition, since, ...data } = component.data;
    if (edition) [this.edition, this.whole] = [edition, data];
    if (this.edition !== (edition ?? since)) {
      component.setStateValue("held", null); // what came builds on what never came: all of it, please
      return;
    }
    const told = (how) => (name, value) => this.tell(component, how, name, value);
    this.instrument ??= this.make(this.parent);
    const drawn = this.instrument.update({
      ...component,
      data: { ...this.whole, ...data },
      setStateValue: told("setStateValue"),
      setTriggerValue: told("setTriggerValue"),
    });
    Promise.resolve(drawn).then(() => stopOnce(this.parent));
  }

  // Two values in one go are one run of the script.
  tell(component, how, name, value) {
    if (this.told !== this.edition) component.setStateValue("held", this.edition);
    this.told = this.edition;
    component[how](name, value);
  }

  end() {
    this.instrument?.end();
    this.instrument?.root.remove();
  }
}

/**
 * What a component's module exports once its styles are there: nothing is seen without them.
 * @param {(parent: any) => Instrument} make
 * @param {...string} styles
 */
export async function mounted(make, ...styles) {
  const worn = await sheetsOf(...LAB, ...styles);
  /** @param {Component} component */
  return function (component) {
    const parent = component.parentElement;
    if (places.get(parent)?.make !== make) {
      places.get(parent)?.end();
      /** @type {ShadowRoot} */ (parent.getRootNode()).adoptedStyleSheets = worn;
      places.set(parent, new Held(make, parent));
    }
    const place = places.get(parent);
    const turn = (place.turn = {});
    place.update(component);
    return () => {
      // Streamlit ends an update that a newer one has overtaken, too
      if (place.turn !== turn) return;
      place.end();
      if (places.get(parent) === place) places.delete(parent);
    };
  };
}
