/** What Python tells all scripts, once: served.py writes the module. */

/** a sentence for each word that explains itself */
export const WORDS: Record<string, string>;
/** what messages are called */
export const KINDS: Record<string, number>;
/** the fields of each kind's answer, in order */
export const LAYOUTS: Record<number, Layout>;
