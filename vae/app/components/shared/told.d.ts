/** What Python tells all scripts, once: served.py writes the module. */

/** the glossary: vae/app/look/glossary.py */
export const TERMS: Record<string, Term>;
/** which of them each spelling opens, and what finds the spellings in a text */
export const SPELLED: Record<string, string>;
export const PATTERN: string;
/** of a file that can be read */
export const MOST_BYTES: number;
/** what messages are called */
export const KINDS: Record<string, number>;
/** the fields of each kind's answer, in order */
export const LAYOUTS: Record<number, Layout>;
