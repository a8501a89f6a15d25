/** Intent keys inside names of kernel objects, injectively: two keys that differ never share a name (DESIGN §12). */

/** Letters and digits stay, `_` becomes `__`, any other character `_` and its two hex digits. Takes ASCII only. */
export function encodeName(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, (character) =>
    character === "_" ? "__" : `_${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
