/** A sentence for each word that explains itself; served.py writes the module. */
export const WORDS: Record<string, string>;
